"""Processes of this and of the last release side by side on one Redis, as while it is upgraded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import redis

from shared.domain import TaskState
from shared.errors import Busy
from shared.ledger.records import Lease, NewTask, Sender, TaskRecord, WaitReason
from shared.redis.clients import connect
from tests.integration.ledger import ledger_simulation, ledger_watching, ledger_world
from tests.integration.ledger.test_ledger_model import check_the_end
from tests.support.ledger_1.old_ledger import OldLedger
from tests.support.running.long_form import by_form

SEEDS = by_form(short=5, long=12)
STEPS = 300
MODEL = WaitReason("model", "m", "The model m is not on this machine.")


class MixedWorld(ledger_simulation.World):
    """The simulated world, in which every other call is of the last release."""

    def _make_ledgers(self) -> list[Any]:
        name = ledger_watching.INSTANCE
        old = OldLedger(self.redis, name, clock=lambda: self.now, pause=self._meanwhile)
        return [*super()._make_ledgers(), old, old]

    def _runs(self, record: TaskRecord) -> bool:
        """A parked Task that the last release stops has no lock and stops until the next sweep."""
        return record.status in (TaskState.RUNNING, TaskState.LOADING_MODEL)

    def upgrade(self) -> None:
        """A third of the steps before it, a third while it goes on, a third after it."""
        both = self.ledgers
        for ledgers in (both[2:], both, both[:2]):
            self.ledgers = ledgers
            for _ in range(STEPS // 3):
                self.step()


class Desk(ledger_world.World):
    """A ledger of this release and one of the last, on one Redis and one clock."""

    def __init__(self, client: redis.Redis) -> None:
        super().__init__(client)
        self.old = OldLedger(
            client, ledger_world.INSTANCE, clock=lambda: self.now, pause=self._pause
        )

    def of(self, owner: str, items: int = 1) -> NewTask:
        return msgspec.structs.replace(self.task(*[1] * items), sender=Sender(owner=owner))

    def sent(self, owner: str, items: int = 1) -> str:
        """A Task that this release is sent, to wait for its turn."""
        task = self.of(owner, items)
        self.ledger.submit(task, "queue")
        return task.task_id

    def sent_before(self, items: int = 1) -> str:
        """The same, sent to the last release."""
        task = self.task(*[1] * items)
        self.old.submit(task, "queue")
        return task.task_id

    def claimed_by_old(self, task_id: str, item_id: int = 0) -> Lease:
        lease = self.old.claim(task_id, item_id, "old", f"{task_id} {item_id}")
        assert lease is not None
        return lease

    def refused(self, task_id: str, item_id: int = 0) -> None:
        """No machine can do it."""
        assert self.ledger.refuse(self.claimed(task_id, item_id), MODEL, "here", ["here"])

    def done(self, task_id: str, item_id: int = 0) -> None:
        lease = self.claimed(task_id, item_id)
        self.now += 1
        assert self.ledger.settle(lease, "done")

    def status(self, task_id: str) -> TaskState:
        return self.record(task_id).status


@pytest.fixture
def desk(redis_url: str) -> Iterator[Desk]:
    with connect(redis_url) as client:
        yield Desk(client)


@pytest.mark.releases
@pytest.mark.parametrize("course", ["mixed", "upgrade"])
def test_every_task_ends_once_while_two_versions_work_on_it(redis_url: str, course: str) -> None:
    ends: Counter[TaskState] = Counter()
    paused = 0

    def has_all() -> bool:
        return len(ends) == 3 and min(ends.values()) > 3 and paused > 0

    with connect(redis_url) as client:
        for seed in ledger_simulation.seeds(SEEDS, has_all):
            world = MixedWorld(client, seed)
            try:
                if course == "upgrade":
                    world.upgrade()
                else:
                    for _ in range(STEPS):
                        world.step()
                world.calm_down()
                check_the_end(world, most_late=5)  # the last version knows one reservation for all
            except AssertionError as error:
                pytest.fail(f"seed {seed}: {error}")
            world.listener.close()
            ends.update(record.status for record in world.seen.values())
            paused += world.seen_paused
    assert has_all(), f"the worlds are no test: {ends}, {paused} tasks took turns"


def test_what_waits_in_the_old_line_comes_in_its_order(desk: Desk) -> None:
    before = [desk.sent_before() for _ in range(3)]
    after = desk.sent("ann")
    for task_id in before:
        if task_id == before[1]:  # the new owner has had least
            assert desk.ledger.holder() == after
            desk.done(after)
        desk.done(task_id)
    assert {desk.status(t) for t in (*before, after)} == {TaskState.COMPLETED}
    assert desk.ledger.holder() is None


def test_what_is_stopped_in_the_old_line_never_gets_the_lock(desk: Desk) -> None:
    running, waiting = desk.sent_before(), desk.sent_before()
    assert desk.ledger.stop(waiting).cancelled
    assert desk.old.settle(desk.claimed_by_old(running), "done")
    assert desk.status(waiting) is TaskState.CANCELLED
    assert desk.ledger.holder() is None


def test_the_lock_that_an_old_request_waits_for_is_kept_for_it(desk: Desk) -> None:
    holder = desk.sent_before(2)
    lease = desk.claimed(holder)
    others = desk.sent("ann")
    newer = desk.task()

    def worker_hears_it(seconds: float) -> None:
        desk.now += seconds
        if desk.ledger.renew(lease) == "stop":
            assert desk.ledger.settle(lease, "cancelled")

    desk.old._pause = worker_hears_it
    assert desk.old.submit(newer) is True
    assert desk.record(holder).superseded_by == newer.task_id
    desk.done(newer.task_id)
    desk.done(others)


def test_the_lock_is_free_again_when_the_old_request_never_comes_back(desk: Desk) -> None:
    holder, others = desk.sent_before(), desk.sent("ann")
    lease = desk.claimed(holder)

    def killed(_seconds: float) -> None:
        raise ConnectionError

    desk.old._pause = killed
    with pytest.raises(ConnectionError):
        desk.old.submit(desk.task())
    assert desk.ledger.settle(lease, "cancelled")
    assert desk.ledger.holder() is None
    with pytest.raises(Busy):
        desk.ledger.submit(desk.of("bob"), "refuse")
    desk.pass_time(6)
    assert desk.ledger.holder() == others


@pytest.mark.parametrize("last_word", ["done", "handback"])
def test_a_task_with_leases_at_the_upgrade_pauses_and_ends(desk: Desk, last_word: str) -> None:
    begun = desk.sent_before(3)
    in_hand = desk.claimed_by_old(begun)
    desk.now += 5
    short = desk.sent("ann")
    assert desk.ledger.claim(begun, 1, "w", "n") is None, "an Item was taken out of turn"
    assert desk.old.claim(begun, 1, "old", "n") is None, "an Item was taken out of turn"
    assert desk.old.renew(in_hand) == "ok"

    assert desk.old.settle(in_hand, "done") if last_word == "done" else desk.old.handback(in_hand)
    desk.pass_time(2)

    assert desk.ledger.holder() == short
    assert desk.status(begun) is TaskState.QUEUED
    assert desk.old.claim(begun, 1, "old", "m") is None, "a paused Task was worked on"
    assert desk.old.settle(desk.claimed_by_old(short), "done")
    desk.pass_time(2)
    assert desk.ledger.holder() == begun
    for n in range(last_word == "done", 3):
        desk.done(begun, n)
    assert desk.status(begun) is TaskState.COMPLETED


def test_a_paused_task_that_the_old_version_ends_leaves_its_line(desk: Desk) -> None:
    begun = desk.sent("ann", 2)
    desk.done(begun)
    short = desk.sent("bob")
    assert desk.status(begun) is TaskState.QUEUED
    assert desk.old.stop(begun).cancelled
    desk.done(short)
    assert desk.status(begun) is TaskState.CANCELLED
    assert desk.ledger.holder() is None
    assert desk.redis.exists("rushes:test:owners", "rushes:test:line:ann") == 0


@pytest.mark.parametrize("who", ["sweep", "unpark"])
def test_a_parked_task_is_left_alone_and_stopped_by_the_old_version(desk: Desk, who: str) -> None:
    parked = desk.sent("ann", 2)
    desk.refused(parked)
    desk.refused(parked, 1)
    assert desk.old.claim(parked, 0, "old", "n") is None
    assert desk.old.sweep() == []

    assert desk.old.stop(parked).cancelled
    if who == "unpark":
        desk.ledger.unpark(parked)
    else:
        desk.pass_time(2)

    assert desk.status(parked) is TaskState.CANCELLED
    assert desk.ledger.parked() == {}
    assert desk.redis.exists(f"rushes:test:parked:{parked}") == 0


def test_a_task_that_the_old_version_stops_does_not_wait_for_what_is_parked(desk: Desk) -> None:
    task = desk.sent("ann", 2)
    desk.refused(task)
    in_hand = desk.claimed(task, 1)
    assert desk.old.stop(task).cancelled
    assert desk.ledger.renew(in_hand) == "stop"
    assert desk.ledger.settle(in_hand, "cancelled")
    assert desk.status(task) is TaskState.STOPPING
    desk.pass_time(2)
    assert desk.status(task) is TaskState.CANCELLED
    assert desk.ledger.holder() is None


def test_a_task_is_parked_though_the_old_version_did_the_last_that_could_be_done(
    desk: Desk,
) -> None:
    task = desk.sent("ann", 2)
    desk.refused(task)
    assert desk.old.settle(desk.claimed_by_old(task, 1), "done")
    desk.pass_time(2)
    assert desk.ledger.holder() is None, "who waits for a model is in the way"
    desk.ledger.unpark(task)
    desk.done(task)
    assert desk.status(task) is TaskState.COMPLETED


@pytest.mark.parametrize("word", ["done", "handback", "held"])
def test_a_parked_item_that_an_old_worker_takes_ends_once(desk: Desk, word: str) -> None:
    task = desk.sent("ann", 3)
    desk.refused(task)
    desk.refused(task, 1)
    lease = desk.claimed_by_old(task)  # its job was doubled
    if word == "done":
        assert desk.old.settle(lease, "done")
    elif word == "handback":
        assert desk.old.handback(lease)
        lease = desk.claimed(task)
    assert desk.ledger.stop(task).cancelled
    if word != "done":
        assert desk.status(task) is TaskState.STOPPING
        assert desk.ledger.settle(lease, "cancelled")
    assert desk.status(task) is TaskState.CANCELLED
    counts = desk.redis.hmget(f"rushes:test:task:{task}", "open", "done", "cancelled")
    assert counts == ["0", "1" if word == "done" else "0", "2" if word == "done" else "3"]
