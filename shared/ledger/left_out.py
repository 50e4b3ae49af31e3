"""Which files people left out of analysis, by CacheDir: watch folders do not try them again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec
import redis

from shared.media import other_forms
from shared.msgspec_decoding import UNDECODABLE
from shared.redis.clients import key_prefix, translated

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


class MarkPage(NamedTuple):
    """Marked files in the order of their paths; `after` leads to the next page, None: no more."""

    files: list[tuple[str, LeftOutMark]]
    total: int
    after: str | None


class LeftOut:
    """The marks of one instance; paths are in the server's form. `client` must decode responses."""

    def __init__(self, client: redis.Redis, instance: str) -> None:
        self._redis = client
        self._prefix = key_prefix(instance)
        self._versions = f"{self._prefix}left-out-versions"

    def mark(self, cache_dir: str, marks: Mapping[str, LeftOutMark]) -> int:
        """Leave files out; how many were not so before. An earlier mark stays as it is."""
        marks_key, paths_key = self._keys(cache_dir)
        waiting, changed = iter(marks.items()), 0
        with translated():
            while portion := list(islice(waiting, _AT_ONCE)):
                with self._redis.pipeline() as pipe:
                    for path, mark in portion:
                        pipe.hsetnx(marks_key, path, msgspec.json.encode(mark).decode())
                    pipe.zadd(paths_key, {path: 0 for path, _ in portion})
                    pipe.hincrby(self._versions, cache_dir, 1)
                    changed += sum(pipe.execute()[: len(portion)])
        return changed

    def take_back(self, cache_dir: str, paths: Iterable[str]) -> int:
        """Files are taken again, in whichever Unicode form they were marked; how many were."""
        marks_key, paths_key = self._keys(cache_dir)
        with translated():
            if not self._redis.exists(marks_key):
                return 0
            waiting, changed = iter(paths), 0
            while portion := list(islice(waiting, _AT_ONCE)):
                forms = [form for path in portion for form in (path, *other_forms(path))]
                with self._redis.pipeline() as pipe:
                    pipe.hdel(marks_key, *forms)
                    pipe.zrem(paths_key, *forms)
                    found = int(pipe.execute()[0])
                if found:
                    self._redis.hincrby(self._versions, cache_dir, 1)
                changed += found
        return changed

    def version(self, cache_dir: str) -> str:
        """Another one, whenever what is left out has changed."""
        with translated():
            found: Any = self._redis.hget(self._versions, cache_dir)
        return found or ""

    def all(self, cache_dir: str) -> dict[str, LeftOutMark]:
        """All marks by path."""
        found: dict[str, LeftOutMark] = {}
        with translated():
            for path, raw in self._redis.hscan_iter(self._keys(cache_dir)[0], count=_AT_ONCE):
                found[path] = _understood(raw)
        return found

    def of(self, cache_dir: str, paths: Iterable[str]) -> dict[str, LeftOutMark]:
        """The marks of these files by path, in either Unicode form; others may be among them."""
        marks_key, _ = self._keys(cache_dir)
        forms = [form for path in paths for form in (path, *other_forms(path))]
        found: dict[str, LeftOutMark] = {}
        with translated():
            if int(self._redis.hlen(marks_key)) <= len(forms):
                return self.all(cache_dir)
            for at in range(0, len(forms), _AT_ONCE):
                some = forms[at : at + _AT_ONCE]
                raws: Any = self._redis.hmget(marks_key, some)
                found |= {f: _understood(raw) for f, raw in zip(some, raws, strict=True) if raw}
        return found

    def page(self, cache_dir: str, *, after: str | None = None, limit: int = 100) -> MarkPage:
        """Files whose path comes after `after`, at most `limit`."""
        marks_key, paths_key = self._keys(cache_dir)
        start = "-" if after is None else f"({after}"
        with translated():
            paths: Any = self._redis.zrangebylex(paths_key, start, "+", start=0, num=limit + 1)
            total: Any = self._redis.hlen(marks_key)
            shown = paths[:limit]
            raws: Any = self._redis.hmget(marks_key, shown) if shown else []
        files = [(path, _understood(raw)) for path, raw in zip(shown, raws, strict=True) if raw]
        return MarkPage(files, int(total), shown[-1] if len(paths) > limit else None)

    def _keys(self, cache_dir: str) -> tuple[str, str]:
        return f"{self._prefix}left-out:{cache_dir}", f"{self._prefix}left-out-paths:{cache_dir}"


def mark_of(marks: Mapping[str, LeftOutMark], path: str) -> LeftOutMark | None:
    """The mark of a file, in whichever Unicode form it was marked."""
    if not marks:
        return None
    forms: Sequence[str] = (path, *other_forms(path))
    return next((marks[form] for form in forms if form in marks), None)


def _understood(raw: str) -> LeftOutMark:
    """What another version wrote is a mark all the same."""
    try:
        return msgspec.json.decode(raw, type=LeftOutMark)
    except UNDECODABLE:
        return LeftOutMark(at=0.0, by="")
