"""Tasks that are open, in the order of the line, or ended; and how much each has worked through."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import redis

from shared.domain import TaskState
from shared.ledger.reading import LedgerReader
from shared.ledger.records import TaskRecord
from shared.msgspec_decoding import decoded
from shared.redis.clients import key_prefix

_RUNS, _IN_LINE, _WAITS = range(3)


class EndedAt(NamedTuple):
    """Place of a Task among those that have ended."""

    milliseconds: int
    task_id: str


class LinePlace(NamedTuple):
    """Place of a Task among those that are open."""

    group: int
    place: int
    created_at: float
    task_id: str


class TaskLists:
    """Lists of one instance. `client` must decode responses."""

    def __init__(self, client: redis.Redis, instance: str, ledger: LedgerReader) -> None:
        self._redis = client
        self._prefix = key_prefix(instance)
        self._ledger = ledger

    def open(self) -> list[tuple[LinePlace, TaskRecord]]:
        """Tasks that have not ended: what runs, the line, then what waits for something else."""
        ids: Any = self._redis.smembers(f"{self._prefix}active")
        records = self._ledger.records(sorted(ids))
        found = [(_place(each), each) for each in records if each and not each.status.is_final]
        return sorted(found, key=lambda pair: pair[0])

    def count_open(self) -> int:
        return int(self._redis.scard(f"{self._prefix}active"))

    def newest(self, after: str | None, limit: int) -> list[str]:
        """Ids of Tasks that began before `after`, newest first; of the last 1,000."""
        ids: Any = self._redis.lrange(f"{self._prefix}recent", 0, -1)
        if after is None:
            return list(ids[:limit])
        begin = ids.index(after) + 1 if after in ids else len(ids)
        return list(ids[begin : begin + limit])

    def ended(self, after: EndedAt | None, limit: int, *, failed: bool) -> list[EndedAt]:
        """Tasks that have ended before `after`, the last one first; of the last day's newest 1,000.

        `failed`: those with an error or with files that failed; they are remembered apart, so that
        whatever ends well drives none of them away.
        """
        name = "ended-failed" if failed else "ended"
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.zrange(f"{self._prefix}{name}", 0, -1, withscores=True)
            pipe.zrange(f"{self._prefix}ended", 0, -1)
            pipe.lrange(f"{self._prefix}recent", 0, -1)
            pipe.smembers(f"{self._prefix}active")
            noted, known, recent, active = pipe.execute()
            found = [EndedAt(int(at), task_id) for task_id, at in noted]
            seen = {*known, *active, *(task_id for task_id, _ in noted)}
            rest = [task_id for task_id in recent if task_id not in seen]
            found += self._unnoted(rest, failed=failed)
        before = (each for each in found if after is None or each < after)
        return sorted(before, reverse=True)[:limit]

    def _unnoted(self, task_ids: list[str], *, failed: bool) -> list[EndedAt]:
        """The places of those Tasks that another version has ended."""
        with self._redis.pipeline(transaction=False) as pipe:
            for task_id in task_ids:
                pipe.hmget(f"{self._prefix}task:{task_id}", ["state", "finished"])
                pipe.exists(f"{self._prefix}failures:{task_id}")
            answers = pipe.execute()
        found = []
        for task_id, (state, at), failures in zip(
            task_ids, answers[::2], answers[1::2], strict=True
        ):
            if at and (not failed or failures or state == TaskState.FAILED):
                found.append(EndedAt(int(at), task_id))
        return found


def _place(record: TaskRecord) -> LinePlace:
    group = _RUNS if record.status is not TaskState.QUEUED else _WAITS
    if record.place is not None:
        group = _IN_LINE
    return LinePlace(group, record.place or 0, record.created_at, record.task_id)


_LAST_MS = 180_000  # a pace that was noted longer ago is none of the last minutes
_FIELDS = ["footage_ms", "pace", "finished", "failed_files"]


class _AnySpec(msgspec.Struct):
    """Of an Item's spec, whichever kind its Task is of."""

    cache_dir: str = ""


class WorkDone(NamedTuple):
    """`rate`: seconds of footage a second. None: not known. `cache_dir` is in the server's form."""

    rate: float | None
    footage_seconds: float | None
    failed_files: int
    cache_dir: str


def work_done(
    client: redis.Redis, instance: str, task_ids: Sequence[str], now: float | None = None
) -> list[WorkDone]:
    """Of each Task, in one round trip, at `now` (Unix seconds). `client` must decode responses."""
    now_ms = (time.time() if now is None else now) * 1000
    prefix = key_prefix(instance)
    with client.pipeline(transaction=False) as pipe:
        for task_id in task_ids:
            pipe.hmget(f"{prefix}task:{task_id}", _FIELDS)
            pipe.hlen(f"{prefix}failures:{task_id}")
            pipe.hget(f"{prefix}item:{task_id}:0", "spec")
        answers: list[Any] = pipe.execute()
    return [
        WorkDone(
            rate=_rate(pace, now_ms) if not finished else None,
            footage_seconds=int(footage) / 1000 if footage else None,
            # Parts of files, where the version that began the Task did not count the files.
            failed_files=int(parts if failed is None else failed),
            cache_dir=(decoded(spec, _AnySpec) or _AnySpec()).cache_dir,
        )
        for (footage, pace, finished, failed), parts, spec in zip(
            answers[::3], answers[1::3], answers[2::3], strict=True
        )
    ]


def _rate(raw: str | None, now_ms: float) -> float | None:
    """Footage a second by samples; a pace fades from the last one on, until that is too old."""
    samples = decoded(raw, list[tuple[float, float]]) or []
    if len(samples) < 2 or now_ms - samples[-1][0] > _LAST_MS:
        return None
    (began, before), (ended, done) = samples[0], samples[-1]
    until = max(ended, now_ms)
    return round((done - before) / (until - began), 2) if until > began else None
