"""A seeded world of clients, workers, deaths and lost words around the real ledger scripts.

Time is simulated, Redis and its scripts are real. Living workers renew in time, so that a living
worker that loses its lease is a fault of the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import redis

from shared.domain import Fault, ProgressType, TaskKind, TaskState
from shared.errors import Busy
from shared.ledger.ledger import Ledger
from shared.ledger.records import (
    ItemFile,
    ItemJob,
    Lease,
    NewItem,
    NewTask,
    OnBusy,
    Sender,
    WaitReason,
)
from tests.integration.ledger.ledger_watching import INSTANCE, WatchedLedger

TYPES = (ProgressType.VIDEO, ProgressType.AUDIO)
WORKERS = 3
CURSED = b'"cursed"'  # whoever touches such an Item fails
NEEDY = b'"needy"'  # only a machine that has the model can do it
OWNERS = ("", "ann", "bob")
HOSTS = ("here", "there")


def seeds(least: int, has_all: Callable[[], bool]) -> Iterator[int]:
    """Yield `least` seeds, then more until everything that must happen in some world has happened.

    Ids are new in each run, so that the same seeds do not always give the same world.
    """
    for seed in range(10 * least):
        if seed >= least and has_all():
            return
        yield seed


class ClientDied(Exception):
    """The API process of a waiting request was killed."""


@dataclass
class Hold:
    """A worker's lease, and when it last renewed it."""

    lease: Lease
    files: tuple[ItemFile, ...]
    renewed: float
    position: dict[ProgressType, float] = field(default_factory=dict)


class World(WatchedLedger):
    def __init__(self, client: redis.Redis, seed: int) -> None:
        super().__init__(client, seed)
        self.now = 1_000_000.0
        self.swept = self.now
        self.depth = 0
        self.workers: list[Hold | None] = [None] * WORKERS
        self.dead: list[Hold] = []
        self.refused: set[str] = set()
        self.died: set[str] = set()
        self.may_be_cancelled: set[str] = set()  # by their owner, or by those who may
        self.has_model = dict.fromkeys(HOSTS, self._chance(0.5))
        self.seen_parked = self.seen_shared = 0
        self.ledgers = [
            Ledger(
                self.redis,
                INSTANCE,
                enqueue=enqueue,
                clock=lambda: self.now,
                pause=self._meanwhile,
            )
            for enqueue in (None, self._enqueue)
        ]

    # Time ---------------------------------------------------------------------------------

    def _pass_time(self, seconds: float) -> None:
        """Seconds go by; the living renew every 3 s and somebody sweeps every 2 s."""
        self.now += seconds
        chores = [self._sweep_if_due, self._renew_all]
        self.random.shuffle(chores)
        for chore in chores:
            chore()

    def _away(self) -> None:
        """Redis does not answer for a while: nobody sweeps, nobody renews."""
        self.now += self.random.uniform(7, 40)
        self._sweep()
        self._renew_all()

    def _meanwhile(self, _seconds: float) -> None:
        """What others do while a request waits for the Task it asked to stop."""
        if self._chance(0.02):
            raise ClientDied
        self.depth += 1
        try:
            for _ in range(self.random.randrange(3)):
                self.step()
        finally:
            self.depth -= 1
        self._pass_time(self.random.choice((0.02, 0.1, 0.4)))

    def _sweep_if_due(self) -> None:
        if self.now - self.swept >= 2:
            self._sweep()

    def _sweep(self) -> None:
        self.swept = self.now
        self._enqueue(self._twice(self.ledger.sweep))

    def _renew_all(self) -> None:
        for number, hold in enumerate(self.workers):
            if hold is not None and self.now - hold.renewed >= 3:
                self._renew(number, hold)

    # Words that get lost or arrive twice -----------------------------------------------------

    def _twice(self, call: Any) -> Any:
        """Every script may arrive twice; the first answer is lost then."""
        if self._chance(0.1):
            call()
        return call()

    def _enqueue(self, jobs: list[ItemJob]) -> None:
        for job in jobs:
            if self._chance(0.85):
                push = self.redis.lpush if job.front else self.redis.rpush
                push(f"rq:queue:rushes-{INSTANCE}-{job.queue}", f"{job[0]} {job[1]}")

    # Clients --------------------------------------------------------------------------------

    def _submit(self) -> None:
        kind = TaskKind.INGEST if self._chance(0.25) else TaskKind.ANALYZE
        spec = self.random.choice((CURSED, NEEDY, NEEDY, b"{}", b"{}"))
        items = [self._new_item(spec, n) for n in range(self.random.randint(1, 4))]
        ledger = self.ledger
        sender = Sender(owner=self.random.choice(OWNERS))
        task = NewTask(kind=kind, items=items, sender=sender)
        modes: tuple[OnBusy, ...] = ("replace", "replace", "queue", "refuse")
        on_busy = "replace-any" if self._chance(0.05) else self.random.choice(modes)
        if kind is TaskKind.ANALYZE and on_busy.startswith("replace"):
            self.may_be_cancelled |= {
                each
                for each, other in self.tasks.items()
                if on_busy == "replace-any" or other.sender.owner in ("", sender.owner)
            }
        try:
            started = ledger.submit(task, on_busy, self.random.choice((0.0, 2.0)))
            if self._chance(0.1):
                ledger.submit(task, on_busy, 0.0)
        except (Busy, ClientDied) as error:
            gone = self.refused if isinstance(error, Busy) else self.died
            gone.add(task.task_id)
            assert self.ledger.record(task.task_id) is None, "a refused Task exists"
            return
        self.tasks[task.task_id] = task
        if self._chance(
            0.9 if started else 0.3
        ):  # jobs that nobody should have enqueued do no harm
            front = kind is TaskKind.ANALYZE
            self._enqueue([ItemJob(task.task_id, n, task.queue, front) for n in range(len(items))])

    def _new_item(self, spec: bytes, number: int) -> NewItem:
        wants = self.random.choice((TYPES, TYPES[:1], TYPES[1:]))
        files = (ItemFile(f"/m/{number}-{n}", wants) for n in range(self.random.randint(1, 3)))
        return NewItem(spec, tuple(files))

    def _stop(self) -> None:
        task_id = self.random.choice([None, *self.tasks])
        before = self.ledger.record(task_id) if task_id else None
        ledger = self.ledger
        owner = self.random.choice((None, *OWNERS))
        result = ledger.stop(task_id, owner)
        if result.task_id is not None:
            self.may_be_cancelled.add(result.task_id)
            task = self.tasks.get(result.task_id)
            assert task_id or None in (owner, task) or task.sender.owner in ("", owner)
        if before is not None:
            assert result.cancelled is not before.status.is_final
            if before.status.is_final:
                assert self.ledger.record(before.task_id) == before, "a late stop changed something"

    # Workers --------------------------------------------------------------------------------

    def _answer_bell(self) -> None:
        idle = [n for n, hold in enumerate(self.workers) if hold is None]
        if not idle:
            return
        word: Any = self.redis.lpop(f"rq:queue:rushes-{INSTANCE}-analysis")
        if word is None or self._chance(0.05):  # killed between pop and claim
            return
        task_id, item_id = word.split()
        number, nonce = self.random.choice(idle), f"{self.random.random()}"
        name = f"w{number}"
        lease = self._twice(lambda: self.ledger.claim(task_id, int(item_id), name, nonce))
        if lease is None:
            return
        for hold in filter(None, self.workers):
            same = (hold.lease.task_id, hold.lease.item_id) == (lease.task_id, lease.item_id)
            assert not same, "two living workers hold one Item"
        if lease.kind is TaskKind.INGEST:
            self._check_ingestion(lease)
        files = self.tasks[task_id].items[lease.item_id].files if task_id in self.tasks else ()
        self.workers[number] = Hold(lease, files, self.now)
        host = HOSTS[number % 2]
        if lease.spec == NEEDY and not self.has_model[host]:
            self._refuse(number, self.workers[number], host)

    def _check_ingestion(self, lease: Lease) -> None:
        holder = self.ledger.holder()
        item = self.key(f"item:{lease.task_id}:{lease.item_id}")
        in_share = self.redis.hget(item, "in_share") is not None
        self.seen_shared += in_share
        if holder is not None and not in_share:
            is_passing = self.redis.hget(self.key(f"task:{holder}"), "waiting") is not None
            assert is_passing, "ingestion started beside a foreground Task"

    def _refuse(self, number: int, hold: Any, host: str) -> None:
        self.workers[number] = None
        reason = WaitReason("model", "m", "The model m is not on this machine.")
        assert self._twice(lambda: self.ledger.refuse(hold.lease, reason, host, HOSTS))

    def _look_at_parked(self) -> None:
        """A worker sees that it can do what others could not, or tries it in vain."""
        parked = self.ledger.parked()
        self.seen_parked += len(parked)
        for task_id in parked:
            if any(self.has_model.values()) or self._chance(0.05):
                self._twice(lambda task_id=task_id: self.ledger.unpark(task_id))

    def _renew(self, number: int, hold: Hold) -> None:
        answer = self._twice(lambda: self.ledger.renew(hold.lease))
        assert answer != "lost", "a living worker lost its lease"
        hold.renewed = self.now
        if answer == "stop" and self._chance(0.7):
            self._end(number, hold, "cancelled")
        elif answer == "yield":
            self._end(number, hold, "handback")

    def _work(self) -> None:
        held = [(n, hold) for n, hold in enumerate(self.workers) if hold is not None]
        if not held:
            return
        number, hold = self.random.choice(held)
        action = self.random.random()
        if action < 0.35:
            self._report(hold)
        elif action < 0.65:
            self._end_file(hold)
        elif action < 0.72:  # kill -9, perhaps to come back as a zombie
            self.workers[number] = None
            self.dead.append(hold)
        else:
            outcomes = ("done", "done", "done", "failed", "handback", "cancelled")
            self._end(number, hold, self.random.choice(outcomes))

    def _report(self, hold: Hold) -> None:
        kind = self.random.choice(TYPES)
        done = self.random.uniform(0, len(hold.files) + 0.5)
        status = self.random.choice((TaskState.RUNNING, TaskState.LOADING_MODEL))
        answer = self._twice(
            lambda: self.ledger.progress(
                hold.lease, type=kind, fraction=done, media_path="/m", status=status
            )
        )
        assert answer

    def _end_file(self, hold: Hold) -> None:
        if not hold.files:
            return
        index = self.random.randrange(len(hold.files))
        file = hold.files[index]
        kind = self.random.choice(file.wants)
        error = "broken" if self._chance(0.3) else None
        word = {"index": index, "media_path": file.media_path, "error": error}
        fault = self.random.choice(list(Fault))
        answer = self._twice(
            lambda: self.ledger.file_ended(hold.lease, type=kind, fault=fault, **word)
        )
        assert answer

    def _end(self, number: int, hold: Hold, outcome: Any) -> None:
        self.workers[number] = None
        if outcome == "cancelled":
            self.may_be_cancelled.add(hold.lease.task_id)
        if hold.lease.spec == CURSED and outcome == "done":
            outcome = "failed"
        assert self._twice(lambda: self._settle(hold.lease, outcome)), "a living worker's word lost"
        if self._chance(0.1):
            self.dead.append(hold)  # speaks once more, much later

    def _settle(self, lease: Lease, outcome: Any) -> bool:
        if outcome == "handback":
            return self.ledger.handback(lease)
        return self.ledger.settle(lease, outcome, "it broke")

    def _zombie(self) -> None:
        if self.dead:
            hold = self.dead.pop(self.random.randrange(len(self.dead)))
            self.ledger.renew(hold.lease)
            self._tick_as_zombie(hold)
            self._settle(hold.lease, self.random.choice(("done", "failed", "handback")))

    def _tick_as_zombie(self, hold: Hold) -> None:
        for index, file in enumerate(hold.files):
            self.ledger.file_ended(
                hold.lease, type=file.wants[0], index=index, media_path=file.media_path
            )

    # The course of things -------------------------------------------------------------------

    def step(self) -> None:
        self._pass_time(self.random.choice((0.01, 0.1, 0.5, 1.0)))
        action = self.random.random()
        if action < 0.10 and self.depth < 3:
            self._submit()
        elif action < 0.14:
            self._stop()
        elif action < 0.50:
            self._answer_bell()
        elif action < 0.94:
            self._work()
        elif action < 0.96:
            self._zombie()
        elif action < 0.98:
            self.has_model[self.random.choice(HOSTS)] = self._chance(0.3)
            self._look_at_parked()
        elif self._chance(0.3):
            self._away()
        self._look()

    def calm_down(self) -> None:
        """Nobody dies any more and everybody works, until all Tasks are final."""
        self.has_model = dict.fromkeys(HOSTS, True)
        for _ in range(2000):
            self._look_at_parked()
            if all(self.seen[task_id].status.is_final for task_id in self.tasks):
                return
            self._pass_time(1.0)
            self._answer_bell()
            for number, hold in enumerate(self.workers):
                if hold is not None and self._chance(0.8):
                    self._end(number, hold, "done")
            self._look()
        raise AssertionError(f"never final: {[r for r in self.seen.values() if not r.finished_at]}")
