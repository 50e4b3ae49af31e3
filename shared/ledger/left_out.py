"""Which files people left out of analysis, by CacheDir: watch folders do not try them again."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import msgspec
import redis

from shared.errors import BadInput
from shared.media import other_forms
from shared.msgspec_decoding import decoded
from shared.redis.clients import key_prefix

T = TypeVar("T")

MOST_MARKS = 100_000  # of one CacheDir
_AT_ONCE = 1000  # paths in one pipeline: more would hold up everybody else's calls


class LeftOutMark(msgspec.Struct, frozen=True, omit_defaults=True):
    """That a file is left out; `reason` says why it had failed, where that was known."""

    at: float  # Unix seconds
    by: str  # what people call the key
    reason: str = ""

    @property
    def words(self) -> str:
        """Why nobody analyzes the file, for people."""
        return f"{self.by or 'Somebody'} has left it out." + (f" {self.reason}" * bool(self.reason))


_UNKNOWN = LeftOutMark(at=0.0, by="")  # what another version wrote is a mark all the same


class MarkPage(NamedTuple):
    """Marked files in the order of their paths; `after` leads to the next page, None: no more."""

    files: list[tuple[str, LeftOutMark]]
    total: int
    after: str | None


class LeftOut:
    """The marks of one instance; paths are in the server's form. `client` must decode responses.

    They are the CacheDir's own, however it is called: `id_of` tells its id by its path, and may
    go into the folder and raise. It is asked only where there are marks at all. Once a CacheDir
    was deleted, the one that is made in its place has none.
    """

    def __init__(self, client: redis.Redis, instance: str, id_of: Callable[[str], str]) -> None:
        self._redis = client
        self._id_of = id_of
        self._prefix = key_prefix(instance)
        self._versions = f"{self._prefix}left-out-versions"

    def mark(self, cache_dir: str, marks: Mapping[str, LeftOutMark]) -> int:
        """Leave files out; how many were not so before. An earlier mark stays as it is.

        Raises BadInput where too many would be left out.
        """
        cache_id, changed = self._id_of(cache_dir), 0
        marks_key = self._key(cache_id)
        count: Any = self._redis.hlen(marks_key)
        if int(count) + len(marks) > MOST_MARKS:
            raise BadInput(
                f"media_paths: {count:,} files of this cache folder are left out already, and "
                f"{MOST_MARKS:,} can be. Exclude whole folders from a watch folder by its "
                "exclude patterns, or take some files again."
            )
        for portion in _portions(marks.items()):
            with self._redis.pipeline() as pipe:
                for path, mark in portion:
                    pipe.hsetnx(marks_key, path, msgspec.json.encode(mark).decode())
                pipe.hincrby(self._versions, cache_id, 1)
                changed += sum(pipe.execute()[: len(portion)])
        return changed

    def take_back(self, cache_dir: str, paths: Iterable[str]) -> int:
        """Files are taken again, in whichever Unicode form they were marked; how many were."""
        cache_id, changed = self._known_id(cache_dir), 0
        if cache_id is None:
            return 0
        marks_key = self._key(cache_id)
        for portion in _portions(paths):
            forms = [form for path in portion for form in (path, *other_forms(path))]
            found: Any = self._redis.hdel(marks_key, *forms)
            if found:
                self._redis.hincrby(self._versions, cache_id, 1)
            changed += int(found)
        return changed

    def version(self, cache_dir: str) -> str:
        """Another one, whenever what is left out has changed, or is that of another CacheDir."""
        cache_id = self._known_id(cache_dir)
        if cache_id is None:
            return ""
        found: Any = self._redis.hget(self._versions, cache_id)
        return f"{cache_id} {found}" if found else ""

    def all(self, cache_dir: str) -> dict[str, LeftOutMark]:
        found: dict[str, LeftOutMark] = {}
        cache_id = self._known_id(cache_dir)
        if cache_id is not None:
            for path, raw in self._redis.hscan_iter(self._key(cache_id), count=_AT_ONCE):
                found[path] = decoded(raw, LeftOutMark) or _UNKNOWN
        return found

    def of(self, cache_dir: str, paths: Iterable[str]) -> dict[str, LeftOutMark]:
        """The marks of those of these files that have one, in whichever Unicode form."""
        found: dict[str, LeftOutMark] = {}
        cache_id = self._known_id(cache_dir)
        if cache_id is None:
            return found
        for portion in _portions(paths):
            forms = [(path, form) for path in portion for form in (path, *other_forms(path))]
            raws: Any = self._redis.hmget(self._key(cache_id), [form for _, form in forms])
            for (path, _), raw in zip(forms, raws, strict=True):
                if raw:
                    found.setdefault(path, decoded(raw, LeftOutMark) or _UNKNOWN)
        return found

    def page(
        self,
        cache_dir: str,
        folders: Iterable[str] | None = None,
        *,
        after: str | None = None,
        limit: int = 100,
    ) -> MarkPage:
        """Files in these folders (None: everywhere) whose path comes after `after`."""
        cache_id = self._known_id(cache_dir)
        marked: Any = [] if cache_id is None else self._redis.hkeys(self._key(cache_id))
        below = None if folders is None else tuple(f"{folder.rstrip('/')}/" for folder in folders)
        paths = sorted(path for path in marked if below is None or path.startswith(below))
        rest = paths if after is None else paths[bisect_right(paths, after) :]
        shown = rest[:limit]
        marks = self.of(cache_dir, shown)
        files = [(path, marks[path]) for path in shown if path in marks]
        return MarkPage(files, len(paths), shown[-1] if len(rest) > limit else None)

    def _known_id(self, cache_dir: str) -> str | None:
        """None where nothing was ever left out: then nobody need go into the folder."""
        has_any = self._redis.exists(self._versions)
        return self._id_of(cache_dir) if has_any else None

    def _key(self, cache_id: str) -> str:
        return f"{self._prefix}left-out:{cache_id}"


def mark_of(marks: Mapping[str, LeftOutMark], path: str) -> LeftOutMark | None:
    """The mark of a file, in whichever Unicode form it was marked."""
    if not marks:
        return None
    forms: Sequence[str] = (path, *other_forms(path))
    return next((marks[form] for form in forms if form in marks), None)


def _portions(items: Iterable[T]) -> Iterator[list[T]]:
    waiting = iter(items)
    while portion := list(islice(waiting, _AT_ONCE)):
        yield portion
