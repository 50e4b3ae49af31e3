"""Short words for tests of the ledger: a clock that only the test moves, Tasks and workers."""

from __future__ import annotations

import itertools

import msgspec
import redis

from shared.domain import ProgressType, TaskKind
from shared.ledger.ledger import Ledger
from shared.ledger.records import (
    ItemFile,
    Lease,
    NewItem,
    NewTask,
    OnBusy,
    Sender,
    TaskRecord,
    WaitReason,
)

INSTANCE = "test"
VIDEO, AUDIO = ProgressType.VIDEO, ProgressType.AUDIO


class World:
    """A ledger on real Redis, whose time stands still unless `pass_time` is called."""

    def __init__(self, client: redis.Redis) -> None:
        self.redis = client
        self.now = 1_000_000.0
        self.ledger = Ledger(client, INSTANCE, clock=lambda: self.now, pause=self._pause)
        self._nonces = itertools.count()
        self.ledger.sweep()

    def _pause(self, seconds: float) -> None:
        self.now += seconds

    def pass_time(self, seconds: float) -> None:
        """Seconds go by in steps of 2 s, with a sweep after each, as in a living system."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + 2, end)
            self.ledger.sweep()

    def task(
        self,
        *files_of_items: int,
        kind: TaskKind = TaskKind.ANALYZE,
        wants: tuple[ProgressType, ...] = (VIDEO,),
    ) -> NewTask:
        """A Task with one Item for each number, with that many files: /m/<item>-<file>."""
        items = [
            NewItem(b"{}", tuple(ItemFile(f"/m/{n}-{f}", wants) for f in range(count)))
            for n, count in enumerate(files_of_items or (1,))
        ]
        return NewTask(kind=kind, items=items)

    def submitted(
        self,
        *files_of_items: int,
        kind: TaskKind = TaskKind.ANALYZE,
        wants: tuple[ProgressType, ...] = (VIDEO,),
    ) -> str:
        task = self.task(*files_of_items, kind=kind, wants=wants)
        assert self.ledger.submit(task)
        return task.task_id

    def claimed(self, task_id: str, item_id: int = 0, worker: str = "w1") -> Lease:
        lease = self.ledger.claim(task_id, item_id, worker, f"nonce-{next(self._nonces)}")
        assert lease is not None, "the Item was not to be had"
        return lease

    def can_claim(self, task_id: str, item_id: int = 0) -> bool:
        """Try it, and give it back."""
        lease = self.ledger.claim(task_id, item_id, "w9", f"nonce-{next(self._nonces)}")
        return lease is not None and self.ledger.handback(lease)

    def record(self, task_id: str) -> TaskRecord:
        record = self.ledger.record(task_id)
        assert record is not None
        return record


MODEL = WaitReason(
    "model", "m", "The model m is not on this machine.", queue="analysis", host="here"
)
HOSTS = ["here"]


class Studio(World):
    """A ledger that several owners share."""

    def of(self, owner: str, items: int = 1, kind: TaskKind = TaskKind.ANALYZE) -> NewTask:
        task = self.task(*[1] * items, kind=kind)
        return msgspec.structs.replace(task, sender=Sender(owner=owner, label=owner.title()))

    def sent(self, owner: str, items: int = 1, on_busy: OnBusy = "replace") -> str:
        self.now += 0.01
        task = self.of(owner, items)
        self.ledger.submit(task, on_busy)
        return task.task_id

    def refused(self, task_id: str, item_id: int) -> None:
        """No machine can do it."""
        lease = self.claimed(task_id, item_id)
        self.now += 0.01
        assert self.ledger.refuse(lease, MODEL, "here", HOSTS)

    def worked(self, task_id: str, item_id: int, seconds: float) -> None:
        lease = self.claimed(task_id, item_id)
        self.pass_leased(lease, seconds)
        assert self.ledger.settle(lease, "done")

    def worked_for_a_second(self, task_id: str, item_id: int) -> None:
        """In which nobody sweeps."""
        lease = self.claimed(task_id, item_id)
        self.now += 1
        assert self.ledger.settle(lease, "done")

    def pass_leased(self, lease: Lease, seconds: float) -> None:
        """Time in which the lease is renewed, and everybody sweeps."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + 2, end)
            assert self.ledger.renew(lease) == "ok"
            self.ledger.sweep()
