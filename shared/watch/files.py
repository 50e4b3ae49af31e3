"""What the active watcher knows of the files of a watch folder: the ingest ledger, in Redis.

Written by the holder of the watcher's lease alone (lua/watch/write.lua), read by everybody. It can
be lost: then it is made anew from the folder and its CacheDir, without new analysis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec
import redis

from shared.msgspec_decoding import decoded
from shared.redis.clients import key_prefix
from shared.watch.live import LEASE, script
from shared.watch.options import FileGroup

NOT_APPLICABLE = "not-applicable"  # processed files without a part of what is wanted
_AT_ONCE = 500  # records in one script: more would hold up everybody else's calls


class WatchedFile(msgspec.Struct, array_like=True, omit_defaults=True, gc=False):
    """One file of a watch folder, as it was when it was last looked at."""

    group: FileGroup
    size: int
    mtime_ns: int
    hash_str: str = ""  # "" as long as it is not known
    # Why it failed, is skipped, or is not worked on yet; of a processed one: why a part of what is
    # wanted does not apply to it.
    reason: str = ""
    tries: int = 0  # that failed by a fault of the file itself
    next_try_at: float = 0.0  # Unix seconds
    task_id: str = ""  # the Task that has it, or analysed it; "" for what cost no analysis
    made: str = ""  # what was made of it, or its Task is to make (AnalysisProfile.signature)
    is_queued: bool = False  # `task_id` has it now
    is_alone: bool = False  # goes into an Item of its own
    changed_at: float = 0.0  # Unix seconds

    @property
    def is_sequence(self) -> bool:
        """Whether this is a sequence of stills, of which no time is noted."""
        return self.group is FileGroup.SKIPPED and not self.mtime_ns


class FolderFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the watcher remembers of a folder as a whole.

    `root` tells whether the same volume lies at its path (RootIdentity in workers/watcher/scan);
    `cache_id` is that of the CacheDir for which its files are processed. All of it, and its files,
    are known for this `path` and `cache_dir`; "": nothing is known yet.
    """

    root: tuple[int, int, int, str] | None = None
    cache_id: str = ""
    last_scan_at: float | None = None  # Unix seconds
    path: str = ""
    cache_dir: str = ""


class Page(NamedTuple):
    """Files in the order of their paths; `after` leads to the next page, None: no more."""

    files: list[tuple[str, WatchedFile]]
    total: int
    after: str | None


class WatchedFiles:
    """The watched files of one instance. `client` must decode responses."""

    def __init__(self, client: redis.Redis, instance: str) -> None:
        self._redis = client
        self._prefix = key_prefix(instance)
        self._facts = f"{self._prefix}watch:facts"
        self._write = script(client, "write")
        self._note = script(client, "note")

    def write(self, token: str, folder_id: str, files: Mapping[str, WatchedFile | None]) -> bool:
        """Note files, None: forget it. False: `token` is not the active watcher's; stand down."""
        keys = [f"{self._prefix}{LEASE}", self._files(folder_id), *self._groups(folder_id)]
        keys.append(self._group(folder_id, NOT_APPLICABLE))
        places = {group: place for place, group in enumerate(FileGroup, start=3)}
        waiting = iter(files.items())
        while portion := list(islice(waiting, _AT_ONCE)):
            words: list[str | bytes | int] = [token]
            for path, file in portion:
                if file is None:
                    words += [path, 0, "", ""]
                else:
                    is_lacking = file.group is FileGroup.PROCESSED and file.reason
                    words += [path, places[file.group], "1" if is_lacking else ""]
                    words.append(msgspec.json.encode(file))
            if not self._write(keys=keys, args=words):
                return False
        return True

    def all(
        self, folder_id: str, checkpoint: Callable[[], None] = lambda: None
    ) -> dict[str, WatchedFile]:
        """All files by path. `checkpoint` is called often: a million of them takes seconds."""
        found: dict[str, WatchedFile] = {}
        scanned = self._redis.hscan_iter(self._files(folder_id), count=_AT_ONCE)
        for number, (path, raw) in enumerate(scanned):
            if number % _AT_ONCE == 0:
                checkpoint()
            if file := decoded(raw, WatchedFile):  # else it is looked at anew
                found[path] = file
        return found

    def counts(self, folder_ids: Iterable[str]) -> dict[str, dict[FileGroup, int]]:
        ids = list(folder_ids)
        with self._redis.pipeline(transaction=False) as pipe:
            for folder_id in ids:
                for key in self._groups(folder_id):
                    pipe.zcard(key)
            numbers: list[Any] = pipe.execute()
        step = len(FileGroup)
        return {
            folder_id: dict(zip(FileGroup, numbers[n * step : (n + 1) * step], strict=True))
            for n, folder_id in enumerate(ids)
        }

    def page(
        self, folder_id: str, group: str, *, after: str | None = None, limit: int = 100
    ) -> Page:
        """Return files of a group, or of NOT_APPLICABLE, from after `after` on, at most `limit`."""
        key = self._group(folder_id, group)
        start = "-" if after is None else f"({after}"
        paths: Any = self._redis.zrangebylex(key, start, "+", start=0, num=limit + 1)
        total: Any = self._redis.zcard(key)
        shown = paths[:limit]
        raws: Any = self._redis.hmget(self._files(folder_id), shown) if shown else []
        known = zip(shown, raws, strict=True)
        files = [(path, file) for path, raw in known if (file := decoded(raw, WatchedFile))]
        return Page(files, int(total), shown[-1] if len(paths) > limit else None)

    def find(self, folder_id: str, paths: Sequence[str]) -> list[WatchedFile | None]:
        """What is known of these files, None: nothing."""
        if not paths:
            return []
        raws: Any = self._redis.hmget(self._files(folder_id), list(paths))
        return [decoded(raw, WatchedFile) for raw in raws]

    def facts(self) -> dict[str, FolderFacts]:
        """What is known of folders as a whole, by id."""
        found: Any = self._redis.hgetall(self._facts)
        return {key: msgspec.json.decode(raw, type=FolderFacts) for key, raw in found.items()}

    def note(self, token: str, folder_id: str, facts: FolderFacts) -> bool:
        """Note what is known of a folder. False: as `write`."""
        keys = [f"{self._prefix}{LEASE}", self._facts]
        return bool(self._note(keys=keys, args=[token, folder_id, msgspec.json.encode(facts)]))

    def forget(self, token: str, folder_id: str) -> bool:
        """The folder is watched no more. False: as `write`."""
        keys = [f"{self._prefix}{LEASE}", self._facts]
        if not self.note(token, folder_id, FolderFacts()):
            return False
        lacking = self._group(folder_id, NOT_APPLICABLE)
        self._redis.unlink(self._files(folder_id), lacking, *self._groups(folder_id))
        # The facts last: by them it is known that there may be files.
        return bool(self._note(keys=keys, args=[token, folder_id, ""]))

    def _files(self, folder_id: str) -> str:
        return f"{self._prefix}watch:files:{folder_id}"

    def _group(self, folder_id: str, group: str) -> str:
        return f"{self._prefix}watch:{group}:{folder_id}"

    def _groups(self, folder_id: str) -> list[str]:
        return [self._group(folder_id, group) for group in FileGroup]


_REQUESTS_AT_ONCE = 1000


class RetryRequest(msgspec.Struct, frozen=True, kw_only=True):
    """New tries for failed files of a folder (`paths` None: for all); its root and cache folder
    are taken as they are now, where it waits because another one was there before."""

    folder_id: str
    paths: tuple[str, ...] | None = None  # in the server's form


class RetryRequests:
    """Requests of one instance, kept until a watcher takes them. `client` must decode responses."""

    def __init__(self, client: redis.Redis, instance: str) -> None:
        self._redis = client
        self._key = f"{key_prefix(instance)}watch:asks"

    def add(self, request: RetryRequest) -> None:
        self._redis.rpush(self._key, msgspec.json.encode(request))

    def pending(self) -> Sequence[RetryRequest]:
        """Oldest first. Each stays until it is removed."""
        raws: Any = self._redis.lrange(self._key, 0, _REQUESTS_AT_ONCE)
        return [msgspec.json.decode(raw, type=RetryRequest) for raw in raws]

    def remove(self, request: RetryRequest) -> None:
        self._redis.lrem(self._key, 1, msgspec.json.encode(request).decode())
