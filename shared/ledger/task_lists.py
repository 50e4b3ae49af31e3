"""Tasks by what became of them: those that are open, in the order of the line, or ended."""

from __future__ import annotations

from typing import Any, NamedTuple

import redis

from shared.domain import TaskState
from shared.ledger.reading import LedgerReader
from shared.ledger.records import TaskRecord
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
