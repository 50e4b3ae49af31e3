"""What nobody can do now waits in nobody's way, and says why."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from shared.domain import TaskState
from shared.ledger.ledger import Ledger
from shared.ledger.records import ItemJob, WaitReason
from shared.redis.clients import connect
from shared.settings import Settings
from tests.integration.ledger.ledger_world import HOSTS, INSTANCE, MODEL, VIDEO, Studio
from workers.presence.left_items import ParkedWork


@pytest.fixture
def studio(redis_url: str) -> Iterator[Studio]:
    with connect(redis_url) as client:
        yield Studio(client)


def test_a_task_that_nobody_can_do_holds_nothing(studio: Studio) -> None:
    stuck = studio.sent("ann", 3)
    waiting = studio.sent("bob")
    studio.refused(stuck, 0)
    assert studio.ledger.holder() == waiting, "who waits for a model is in the way"
    studio.worked(waiting, 0, 1)
    studio.refused(stuck, 1)
    studio.refused(stuck, 2)
    record = studio.record(stuck)
    assert (record.status, record.waiting_for, record.place) == (TaskState.QUEUED, MODEL, None)
    assert studio.ledger.holder() is None
    running = studio.of("cy")
    assert studio.ledger.submit(running, "refuse")
    assert studio.ledger.parked() == {stuck: [MODEL]}

    studio.ledger.unpark(stuck)

    assert studio.record(stuck).place == 1
    assert studio.ledger.parked() == {}
    studio.worked(running.task_id, 0, 1)
    assert studio.ledger.holder() == stuck


def test_what_can_be_done_of_a_task_is_done_before_it_is_parked(studio: Studio) -> None:
    task = studio.sent("ann", 3)
    studio.ledger.refuse(studio.claimed(task, 0), MODEL, "here", HOSTS)
    assert studio.ledger.holder() == task
    studio.worked(task, 1, 1)
    studio.worked(task, 2, 1)
    assert studio.ledger.holder() is None
    assert studio.record(task).current == 2
    studio.ledger.unpark(task)
    assert studio.ledger.holder() == task
    studio.worked(task, 0, 1)
    assert studio.record(task).status is TaskState.COMPLETED


def test_an_item_is_parked_when_every_machine_has_refused_it(studio: Studio) -> None:
    task = studio.sent("ann")
    both = ["here", "there"]
    studio.ledger.refuse(studio.claimed(task), MODEL, "here", both)
    assert studio.ledger.parked() == {}
    root = msgspec.structs.replace(MODEL, code="root", key="/m", host="there")
    studio.ledger.refuse(studio.claimed(task), root, "there", both)
    assert set(studio.ledger.parked()[task]) == {MODEL, root}
    studio.ledger.unpark(task)
    studio.ledger.refuse(studio.claimed(task), MODEL, "there", both)
    assert studio.ledger.parked() == {}, "the other machine was not asked again"


def test_a_parked_task_can_be_stopped_and_replaced(studio: Studio) -> None:
    tasks = [studio.sent("ann", 2), studio.sent("bob")]
    for task, n in ((tasks[0], 0), (tasks[1], 0), (tasks[0], 1)):
        studio.refused(task, n)
    assert set(studio.ledger.parked()) == set(tasks)
    assert studio.ledger.stop(tasks[0]).cancelled
    newer = studio.sent("bob")
    assert [studio.record(t).status for t in tasks] == [TaskState.CANCELLED] * 2
    assert studio.record(tasks[1]).superseded_by == newer
    assert studio.ledger.parked() == {}


def test_replace_lets_a_parked_task_that_was_to_wait_wait_on(studio: Studio) -> None:
    waiting = studio.sent("ann", on_busy="queue")
    studio.refused(waiting, 0)
    studio.sent("ann")
    assert studio.record(waiting).status is TaskState.QUEUED
    assert studio.ledger.stop(owner="ann").cancelled
    assert studio.ledger.stop(owner="ann").task_id == waiting


def test_a_task_says_why_its_items_are_handed_back(studio: Studio) -> None:
    task = studio.sent("ann")
    reason = WaitReason("root", "", "/m is empty on this machine.", queue="analysis")
    studio.ledger.handback(studio.claimed(task), reason)
    record = studio.record(task)
    assert (record.status, record.waiting_for) == (TaskState.QUEUED, reason)
    lease = studio.claimed(task)
    studio.ledger.progress(lease, type=VIDEO, fraction=0.5)
    assert studio.record(task).waiting_for is None


def test_time_that_a_task_waited_is_no_work(studio: Studio) -> None:
    task = studio.sent("ann", 2)
    studio.worked(task, 0, 10)
    studio.refused(task, 1)
    studio.pass_time(1800)
    assert studio.record(task).eta_seconds == pytest.approx(10, abs=0.5)
    studio.ledger.unpark(task)
    lease = studio.claimed(task, 1)
    studio.now += 5
    studio.ledger.progress(lease, type=VIDEO, fraction=0.5)
    assert studio.record(task).eta_seconds == pytest.approx(5, abs=0.5)


def test_the_task_that_gets_the_lock_of_a_parked_one_is_enqueued(studio: Studio) -> None:
    named: list[ItemJob] = []
    ledger = Ledger(studio.redis, INSTANCE, enqueue=named.extend, clock=lambda: studio.now)
    stuck, next_one = studio.sent("ann"), studio.sent("bob")
    assert ledger.park(stuck, WaitReason("worker", "analysis", "No worker."))
    assert named == [ItemJob(next_one, 0, "analysis", True)]


def test_a_task_whose_items_are_left_by_all_makes_way(studio: Studio) -> None:
    """Two machines have handed its Items back for a while: nobody claims any."""
    for owner in ("ann", "bob"):
        studio.worked(studio.sent(owner), 0, 1)
    left, waiting = studio.sent("ann", 3), studio.sent("bob")
    assert studio.ledger.holder() == left
    studio.pass_time(8)
    assert studio.ledger.holder() == waiting
    studio.worked(waiting, 0, 1)
    assert studio.ledger.holder() == left


def test_many_refusals_of_one_are_few_before_another_begins(studio: Studio) -> None:
    blocking = studio.sent("ann")
    absent, waiting = studio.sent("xen", 500), studio.sent("bob")
    studio.ledger.stop(blocking)
    assert studio.ledger.holder() == absent
    refused = 0
    while studio.ledger.holder() == absent:
        studio.refused(absent, refused)
        refused += 1
    assert refused <= 101
    assert studio.ledger.holder() == waiting


def test_a_worker_that_comes_takes_up_what_waits_for_one_however_often(studio: Studio) -> None:
    task = studio.sent("ann")
    work = ParkedWork(studio.ledger, Settings(), "analysis")
    for _ in range(2):
        assert studio.ledger.park(task, WaitReason("worker", "analysis", "No worker."))
        _look(ParkedWork(studio.ledger, Settings(), "export"))
        assert studio.ledger.parked()
        _look(work)
        assert not studio.ledger.parked()
        assert studio.ledger.holder() == task


def test_a_machine_judges_its_own_reason_and_tries_what_only_others_refused(
    studio: Studio, tmp_path: Path
) -> None:
    here, root = socket.gethostname(), tmp_path / "disk"
    work = ParkedWork(studio.ledger, Settings(), "analysis")
    task, reason = studio.sent("ann"), WaitReason("root", str(root), "The disk is away.")
    for host in ("elsewhere", here):
        lease = studio.claimed(task)
        assert studio.ledger.refuse(lease, reason, host, [host])
        assert studio.ledger.parked()
        if host == here:
            _look(work)
            assert studio.ledger.parked()
            root.mkdir()
        work.note(reason, root.is_dir)
        _look(work)
        assert not studio.ledger.parked()


def _look(work: ParkedWork) -> None:
    for look in work.look():
        look.join(timeout=10)
        assert not look.is_alive()
