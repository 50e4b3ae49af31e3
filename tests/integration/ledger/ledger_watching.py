"""What every watcher of Tasks relies on, looked at after every step of a simulated world."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import redis

from shared.domain import ProgressType, TaskKind, TaskState
from shared.ledger.ledger import progress_channel
from shared.ledger.records import NewTask, TaskRecord

INSTANCE = "sim"


class WatchedLedger:
    """Accepted `tasks`, the newest state `seen` of each, and how many `events` told of it."""

    def __init__(self, client: redis.Redis, seed: int) -> None:
        client.flushdb()
        self.random = random.Random(seed)
        self.redis = client
        self.ledgers: list[Any] = []  # every call is of one of these, by chance
        self.tasks: dict[str, NewTask] = {}
        self.seen: dict[str, TaskRecord] = {}
        self.best: dict[tuple[str, ProgressType], float] = {}
        self.seen_paused = 0
        self.listener = client.pubsub()  # type: ignore[no-untyped-call]
        self.listener.subscribe(progress_channel(INSTANCE))
        self.events: Counter[str] = Counter()

    @property
    def ledger(self) -> Any:
        return self.random.choice(self.ledgers)

    def _chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def _look(self) -> None:
        """What every watcher relies on, at every moment."""
        held: Any = self.redis.zrange(self.key("leases"), 0, -1)
        holders = {member.partition("/")[0] for member in held}
        holders = {t for t in holders & set(self.tasks) if self.tasks[t].kind is TaskKind.ANALYZE}
        assert len(holders) <= 1, f"two foreground Tasks hold leases: {holders}"
        running = []
        looked_at = [task_id for task_id in self.tasks if self._may_change(task_id)]
        for record in self.ledger.records(looked_at):
            assert record is not None
            self._compare(self.seen.get(record.task_id), record)
            self.seen[record.task_id] = record
            is_foreground = record.kind is TaskKind.ANALYZE and not record.status.is_final
            if is_foreground and record.status is not TaskState.QUEUED:
                running.append(record.task_id)
        assert len(running) <= 1, f"two foreground Tasks run: {running}"
        assert not running or self.ledger.holder() == running[0]

    def _may_change(self, task_id: str) -> bool:
        """Of those that are final, which do not, one in twenty."""
        before = self.seen.get(task_id)
        return before is None or not before.status.is_final or self._chance(0.05)

    def _compare(self, before: TaskRecord | None, record: TaskRecord) -> None:
        assert 0 <= record.current <= record.total
        assert 0 <= record.progress <= 100
        key = (record.task_id, record.type)
        assert record.progress >= self.best.get(key, 0), "percent went back"
        self.best[key] = record.progress
        if before is None:
            return
        assert record.seq >= before.seq
        assert record.overall_progress >= before.overall_progress, "overall percent went back"
        if before.status.is_final:
            assert record == before, "a final Task changed"
        self.seen_paused += (before.status, record.status) == (TaskState.RUNNING, TaskState.QUEUED)
        if before.status is TaskState.STOPPING:
            assert record.status is TaskState.STOPPING or record.status.is_final

    def drain_events(self) -> None:
        while (message := self.listener.get_message(timeout=0)) is not None:
            if message["type"] == "message":
                self.events[message["data"]] += 1

    def key(self, name: str) -> str:
        return f"rushes:{INSTANCE}:{name}"
