"""Which files of a CacheDir are in line for analysis or are worked on, and which have failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
import redis

from shared.domain import AnalyzeSpec, FileSpec, ProgressType, TaskKind
from shared.msgspec_decoding import decoded
from shared.redis.clients import key_prefix

_ITEMS_AT_ONCE = 1000  # more would hold up everybody else's calls
_KINDS = (TaskKind.ANALYZE, TaskKind.INGEST)


class AnalysisFileState(StrEnum):
    """How far a file is."""

    QUEUED = "queued"
    RUNNING = "running"
    FAILED = "failed"


class AnalysisFile(NamedTuple):
    """A file, in the server's form, and why it failed."""

    path: str
    state: AnalysisFileState
    task_id: str
    error: str = ""


class _Task(NamedTuple):
    task_id: str
    items: int
    is_open: bool
    cache_dir: str
    created_at: float  # Unix seconds


class AnalysisFiles:
    """Finds files of analyses in the ledger. `client` must decode responses."""

    def __init__(self, client: redis.Redis, instance: str) -> None:
        self._redis = client
        self._prefix = key_prefix(instance)

    def of(self, is_meant: Callable[[str], bool], kind: ProgressType) -> list[AnalysisFile]:
        """Files whose results go into such a CacheDir, newest Task first; of what is wanted `kind`.

        Of the last 1,000 Tasks, and of all that are open. What is done is in none of them.
        """
        found: list[AnalysisFile] = []
        for task in self._tasks():
            if is_meant(task.cache_dir):
                found += self._open(task, kind) if task.is_open else self._failures(task, kind)
        return found

    def cache_dirs(self) -> dict[str, float]:
        """CacheDirs into which these Tasks analyze, and when the newest of each came."""
        newest: dict[str, float] = {}
        for task in self._tasks():
            newest[task.cache_dir] = max(task.created_at, newest.get(task.cache_dir, 0.0))
        return newest

    def failed_work(self, task_id: str) -> list[tuple[AnalyzeSpec, FileSpec]]:
        """What of a Task has failed: files with what was wanted and failed, and the Item's spec."""
        found = []
        failures: Any = self._redis.hkeys(f"{self._prefix}failures:{task_id}")
        kinds: dict[int, dict[int, set[str]]] = {}
        for field in failures:
            n, index, kind = field.split(":")
            kinds.setdefault(int(n), {}).setdefault(int(index), set()).add(kind)
        for n, (raw,) in self._items(task_id, sorted(kinds), ["spec"]):
            spec = decoded(raw, AnalyzeSpec)
            for index, file in enumerate(spec.files if spec else ()):
                wants = tuple(kind for kind in file.wants if kind in kinds[n].get(index, ()))
                if spec and wants:
                    found.append((spec, msgspec.structs.replace(file, wants=wants)))
        return found

    def why_failed(self, cache_dir: str) -> dict[str, str]:
        """The newest error of each file that was to be analyzed into this CacheDir and failed."""
        found: dict[str, str] = {}
        for task in self._tasks():
            for file in self._failures(task, None) if task.cache_dir == cache_dir else ():
                found.setdefault(file.path, file.error)
        return found

    def _tasks(self) -> list[_Task]:
        active: Any = self._redis.smembers(f"{self._prefix}active")
        recent: Any = self._redis.lrange(f"{self._prefix}recent", 0, -1)
        ids = list(dict.fromkeys([*recent, *sorted(active)]))
        with self._redis.pipeline(transaction=False) as pipe:
            for task_id in ids:
                pipe.hmget(f"{self._prefix}task:{task_id}", ["kind", "items", "stop", "created"])
                pipe.hget(f"{self._prefix}item:{task_id}:0", "spec")
            answers = pipe.execute()
        found = []
        for task_id, fields, raw in zip(ids, answers[::2], answers[1::2], strict=True):
            kind, items, stop, created = fields
            spec = decoded(raw, AnalyzeSpec) if kind in _KINDS else None
            if spec is not None and items:
                is_open, at = task_id in active and not stop, int(created) / 1000
                found.append(_Task(task_id, int(items), is_open, spec.cache_dir, at))
        return found

    def _open(self, task: _Task, kind: ProgressType) -> Iterator[AnalysisFile]:
        ended: Any = self._redis.hgetall(f"{self._prefix}ticks:{task.task_id}")
        for n, (state, raw) in self._items(task.task_id, range(task.items), ["state", "spec"]):
            spec = decoded(raw, AnalyzeSpec)
            for index, file in enumerate(spec.files if spec else ()):
                entry = ended.get(f"{n}:{index}:{kind}")
                if kind not in file.wants:
                    continue
                if entry:
                    if error := msgspec.json.decode(entry)[1]:
                        yield _failed(file, task, error)
                elif state in ("queued", "leased"):
                    is_queued = state == "queued"
                    how = AnalysisFileState.QUEUED if is_queued else AnalysisFileState.RUNNING
                    yield AnalysisFile(file.path, how, task.task_id)

    def _failures(self, task: _Task, kind: ProgressType | None) -> Iterator[AnalysisFile]:
        """Files that failed in `kind`; None: in whichever."""
        failures: Any = self._redis.hgetall(f"{self._prefix}failures:{task.task_id}")
        errors: dict[int, dict[int, str]] = {}
        for field, entry in failures.items():
            n, index, its = field.split(":")
            if kind in (None, its):
                errors.setdefault(int(n), {})[int(index)] = msgspec.json.decode(entry)[1]
        for n, (raw,) in self._items(task.task_id, sorted(errors), ["spec"]):
            spec = decoded(raw, AnalyzeSpec)
            for index, file in enumerate(spec.files if spec else ()):
                if error := errors[n].get(index):
                    yield _failed(file, task, error)

    def _items(
        self, task_id: str, numbers: Sequence[int], fields: list[str]
    ) -> Iterator[tuple[int, list[Any]]]:
        for at in range(0, len(numbers), _ITEMS_AT_ONCE):
            some = numbers[at : at + _ITEMS_AT_ONCE]
            with self._redis.pipeline(transaction=False) as pipe:
                for n in some:
                    pipe.hmget(f"{self._prefix}item:{task_id}:{n}", fields)
                yield from zip(some, pipe.execute(), strict=True)


def _failed(file: FileSpec, task: _Task, error: str) -> AnalysisFile:
    return AnalysisFile(file.path, AnalysisFileState.FAILED, task.task_id, error)
