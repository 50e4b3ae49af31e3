"""The lock: replace, queue, refuse, stop, and how ingestion yields."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.domain import TaskKind, TaskState
from shared.errors import Busy, Missing
from shared.ledger.ledger import Ledger
from shared.ledger.records import ItemFile, ItemJob, NewItem, NewTask
from shared.redis.clients import connect
from tests.integration.ledger.ledger_world import World
from tests.support.system.stopwatch import Stopwatch


@pytest.fixture
def world(redis_url: str) -> Iterator[World]:
    with connect(redis_url) as client:
        yield World(client)


def test_a_request_that_replaces_a_queued_task_gets_the_lock_at_once(world: World) -> None:
    old = world.submitted()
    before = world.now
    new = world.submitted()
    assert world.now == before
    stopped = world.record(old)
    assert (stopped.status, stopped.superseded_by) == (TaskState.CANCELLED, new)
    assert world.ledger.holder() == new


def test_a_request_is_refused_after_two_seconds_and_the_old_task_keeps_its_stop(
    redis_url: str,
) -> None:
    with connect(redis_url) as client:
        ledger = Ledger(client, "test")
        old, new = _task(), _task()
        ledger.submit(old)
        lease = ledger.claim(old.task_id, 0, "w1", "nonce")
        assert lease is not None
        asked, stopwatch = time.monotonic(), Stopwatch()
        with pytest.raises(Busy):
            ledger.submit(new)
        assert time.monotonic() - asked >= 2.0
        assert stopwatch.seconds() < 3.0
        assert ledger.renew(lease) == "stop"
        assert ledger.record(new.task_id) is None
        ledger.settle(lease, "cancelled")
        record = ledger.record(old.task_id)
        assert record is not None
        assert record.status is TaskState.CANCELLED
        assert record.superseded_by is None, "nothing came in its place"
        assert ledger.submit(new), "a client that retries gets through"


def test_a_waiting_request_takes_over_as_soon_as_the_old_task_ends(redis_url: str) -> None:
    with connect(redis_url) as client:
        ledger = Ledger(client, "test")
        old, new = _task(), _task()
        ledger.submit(old)
        lease = ledger.claim(old.task_id, 0, "w1", "nonce")
        assert lease is not None
        listener = client.pubsub()
        listener.subscribe("rushes:test:stops")
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(ledger.submit, new)
            _hear(listener, old.task_id)
            stopwatch = Stopwatch()
            ledger.settle(lease, "cancelled")
            assert waiting.result(timeout=5)
            assert stopwatch.seconds() < 1
        listener.close()
        record = ledger.record(old.task_id)
        assert record is not None
        assert record.superseded_by == new.task_id
        assert ledger.holder() == new.task_id


def test_a_second_replacing_request_is_refused_at_once(world: World) -> None:
    world.claimed(world.submitted())
    refused = []

    def second(_seconds: float) -> None:
        before = world.now
        with pytest.raises(Busy):
            world.ledger.submit(world.task())
        refused.append(world.now - before)
        world.now += 1

    waiting = Ledger(world.redis, "test", clock=lambda: world.now, pause=second)
    with pytest.raises(Busy):
        waiting.submit(world.task())
    assert refused == [0, 0]


def test_another_task_in_the_lock_refuses_the_waiting_request_at_once(world: World) -> None:
    old = world.claimed(world.submitted())
    other = world.task()

    def meanwhile(_seconds: float) -> None:
        world.now += 3  # held up so long that its right to the lock has passed
        world.ledger.settle(old, "cancelled")
        world.ledger.submit(other)

    slow = Ledger(world.redis, "test", clock=lambda: world.now, pause=meanwhile)
    with pytest.raises(Busy):
        slow.submit(world.task())
    assert world.ledger.holder() == other.task_id
    assert world.record(other.task_id).status is TaskState.QUEUED, "the newcomer was not stopped"


def test_a_lock_freed_at_the_last_moment_still_goes_to_the_request_that_waited(
    world: World,
) -> None:
    old = world.claimed(world.submitted())
    deadline = world.now + 2

    def clock() -> float:
        if world.now >= deadline:  # between its last look and its giving up
            world.ledger.settle(old, "cancelled")
        return world.now

    def pause(_seconds: float) -> None:
        world.now += 0.4

    new = world.task()
    assert Ledger(world.redis, "test", clock=clock, pause=pause).submit(new)
    assert world.record(old.task_id).superseded_by == new.task_id


def test_a_right_to_the_lock_that_has_passed_is_no_right(world: World) -> None:
    old = world.claimed(world.submitted())
    other = world.task()
    moments = iter(["look", "second submit"])

    def clock() -> float:
        if world.ledger.holder() is None and next(moments) == "second submit":
            world.now += 3
            world.ledger.submit(other)
        return world.now

    def pause(_seconds: float) -> None:
        world.ledger.settle(old, "cancelled")

    with pytest.raises(Busy):
        Ledger(world.redis, "test", clock=clock, pause=pause).submit(world.task())
    assert world.ledger.holder() == other.task_id


def test_refuse_stops_nothing(world: World) -> None:
    old = world.submitted()
    with pytest.raises(Busy, match=old):
        world.ledger.submit(world.task(), "refuse")
    assert world.record(old).status is TaskState.QUEUED
    assert world.ledger.renew(world.claimed(old)) == "ok"


def test_a_refused_request_leaves_nothing_behind(world: World) -> None:
    world.submitted()
    before = world.redis.dbsize()
    with pytest.raises(Busy):
        world.ledger.submit(world.task(*[1] * 1500), "refuse")
    world.pass_time(70)
    assert world.redis.dbsize() <= before + 1  # when jobs were last enqueued


def test_refuse_starts_where_nothing_runs(world: World) -> None:
    assert world.ledger.submit(world.task(), "refuse")


def test_queued_tasks_start_in_order_when_the_lock_is_freed(world: World) -> None:
    running = world.claimed(world.submitted())
    first, second = world.task(), world.task()
    for task in (first, second):
        assert not world.ledger.submit(task, "queue")
        assert world.record(task.task_id).status is TaskState.QUEUED
        assert not world.can_claim(task.task_id)
    world.ledger.settle(running, "done")
    assert world.ledger.holder() == first.task_id
    assert not world.can_claim(second.task_id)
    assert world.ledger.sweep() == [ItemJob(first.task_id, 0, "analysis", True)]
    world.ledger.settle(world.claimed(first.task_id), "done")
    assert world.ledger.holder() == second.task_id
    world.ledger.settle(world.claimed(second.task_id), "done")
    assert world.ledger.holder() is None


def test_a_replacing_request_goes_before_those_in_line(world: World) -> None:
    running = world.claimed(world.submitted())
    in_line = world.task()
    world.ledger.submit(in_line, "queue")

    def meanwhile(_seconds: float) -> None:
        world.ledger.settle(running, "cancelled")
        world.now += 0.1

    ledger = Ledger(world.redis, "test", clock=lambda: world.now, pause=meanwhile)
    new = world.task()
    assert ledger.submit(new)
    assert world.ledger.holder() == new.task_id
    world.ledger.settle(world.claimed(new.task_id), "done")
    assert world.ledger.holder() == in_line.task_id


def test_an_heir_that_never_comes_back_blocks_nobody(world: World) -> None:
    running = world.claimed(world.submitted())
    in_line = world.task()
    world.ledger.submit(in_line, "queue")

    def killed(_seconds: float) -> None:
        raise KeyboardInterrupt

    ledger = Ledger(world.redis, "test", clock=lambda: world.now, pause=killed)
    with pytest.raises(KeyboardInterrupt):
        ledger.submit(world.task())
    world.ledger.settle(running, "cancelled")
    assert world.ledger.holder() is None
    world.pass_time(4)
    assert world.ledger.holder() == in_line.task_id


def test_a_reservation_blocks_nobody_for_long_when_the_clock_is_set_back(world: World) -> None:
    world.claimed(world.submitted())
    name = "rushes:test:reserved"
    ends = int(world.now * 1000) + 2000
    kept = {"owner": "ann", "task": "gone", "holder": "gone", "ends": ends, "first": False}
    world.redis.hset(name, "ann", json.dumps(kept))
    world.now -= 3600
    world.ledger.sweep()
    assert not world.redis.exists(name)


def test_a_task_in_line_can_be_stopped_by_its_id(world: World) -> None:
    running = world.submitted()
    in_line = world.task()
    world.ledger.submit(in_line, "queue")
    assert world.ledger.stop(in_line.task_id).cancelled
    assert world.record(in_line.task_id).status is TaskState.CANCELLED
    assert world.ledger.holder() == running
    world.ledger.stop(running)
    assert world.ledger.holder() is None


def test_a_submit_that_arrives_twice_makes_one_task(world: World) -> None:
    task = world.task(1, 1)
    assert world.ledger.submit(task)
    world.claimed(task.task_id)
    assert world.ledger.submit(task)
    assert world.record(task.task_id).status is TaskState.RUNNING
    assert len(world.ledger.recent()) == 1


def test_stop_without_an_id_means_the_foreground_task(world: World) -> None:
    ingest = world.submitted(kind=TaskKind.INGEST)
    assert world.ledger.stop().cancelled is False
    assert world.ledger.stop().task_id is None
    foreground = world.submitted()
    assert world.ledger.stop().task_id == foreground
    assert world.record(foreground).status is TaskState.CANCELLED
    assert world.record(ingest).status is TaskState.QUEUED


def test_a_stop_reaches_leased_items_and_ends_queued_ones(world: World) -> None:
    task_id = world.submitted(1, 1, 1)
    done, held = world.claimed(task_id, 0), world.claimed(task_id, 1)
    world.ledger.settle(done, "done")
    assert world.ledger.stop(task_id).cancelled
    assert world.record(task_id).status is TaskState.STOPPING
    assert not world.can_claim(task_id, 2)
    assert world.ledger.renew(held) == "stop"
    world.ledger.settle(held, "cancelled")
    record = world.record(task_id)
    assert (record.status, record.current) == (TaskState.CANCELLED, 1)


def test_stopping_twice_is_stopping_once(world: World) -> None:
    task_id = world.submitted()
    world.claimed(task_id)
    world.ledger.stop(task_id)
    before = world.record(task_id)
    assert world.ledger.stop(task_id).cancelled
    assert world.record(task_id) == before


def test_a_stop_after_the_last_settle_changes_nothing(world: World) -> None:
    task_id = world.submitted()
    world.ledger.settle(world.claimed(task_id), "done")
    before = world.record(task_id)
    result = world.ledger.stop(task_id)
    assert (result.cancelled, result.task_id) == (False, task_id)
    assert world.record(task_id) == before


def test_an_unknown_task_cannot_be_stopped(world: World) -> None:
    with pytest.raises(Missing):
        world.ledger.stop("0" * 32)


def test_a_worker_that_dies_while_stopping_ends_its_item(world: World) -> None:
    task_id = world.submitted()
    world.claimed(task_id)
    world.ledger.stop(task_id)
    world.pass_time(11)
    assert world.record(task_id).status is TaskState.CANCELLED
    assert world.ledger.holder() is None


@pytest.mark.parametrize("outcome", ["failed", "handback"])
def test_nothing_is_tried_again_once_a_task_is_stopping(world: World, outcome: str) -> None:
    task_id = world.submitted()
    lease = world.claimed(task_id)
    world.ledger.stop(task_id)
    if outcome == "handback":
        world.ledger.handback(lease)
    else:
        world.ledger.settle(lease, "failed", "no luck")
    assert world.record(task_id).status is TaskState.CANCELLED


def test_ingestion_never_blocks_a_foreground_task_and_yields_to_it(world: World) -> None:
    ingest = world.submitted(1, 1, kind=TaskKind.INGEST)
    held = world.claimed(ingest)
    assert world.ledger.renew(held) == "ok"
    foreground = world.submitted()
    assert world.ledger.holder() == foreground
    assert world.ledger.renew(held) == "yield"
    assert world.ledger.handback(held)
    assert not world.can_claim(ingest, 1)
    world.now += 2
    assert {job.task_id for job in world.ledger.sweep()} == {foreground}
    world.ledger.settle(world.claimed(foreground), "done")
    world.now += 2
    assert world.ledger.sweep() == [ItemJob(ingest, n, "analysis", False) for n in range(2)]
    assert world.claimed(ingest).tries == 0


def test_exports_and_reclustering_run_beside_an_analysis(world: World) -> None:
    foreground = world.submitted()
    for kind in (TaskKind.EXPORT, TaskKind.RECLUSTER):
        lease = world.claimed(world.submitted(0, kind=kind))
        assert world.ledger.renew(lease) == "ok"
        assert world.ledger.settle(lease, "done")
        assert world.record(lease.task_id).status is TaskState.COMPLETED
    assert world.ledger.holder() == foreground


def test_fifty_requests_at_once_never_leave_two_tasks_running(redis_url: str) -> None:
    tasks = [_task() for _ in range(50)]
    start = threading.Barrier(2)

    def client_of(number: int) -> None:
        with connect(redis_url) as client:
            ledger = Ledger(client, "test")
            start.wait(10)
            for task in tasks[number::2]:
                try:
                    ledger.submit(task, wait_s=0.05)
                except Busy:
                    continue
                ledger.claim(task.task_id, 0, f"w{number}", task.task_id)

    def finish_what_stops(ledger: Ledger) -> None:
        for record in ledger.recent(1000):
            if record.status is TaskState.STOPPING:
                lease = ledger.claim(record.task_id, 0, "any", record.task_id)
                if lease is not None:
                    ledger.settle(lease, "cancelled")

    with connect(redis_url) as client, ThreadPoolExecutor() as pool:
        ledger = Ledger(client, "test")
        clients = [pool.submit(client_of, number) for number in range(2)]
        while not all(each.done() for each in clients):
            finish_what_stops(ledger)
        for each in clients:
            each.result()
        finish_what_stops(ledger)
        open_tasks = [r.task_id for r in ledger.recent(1000) if not r.status.is_final]
        assert open_tasks == [ledger.holder()]


def _task() -> NewTask:
    return NewTask(kind=TaskKind.ANALYZE, items=[NewItem(b"{}", (ItemFile("/m/a.mov"),))])


def _hear(listener: object, word: str) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        message = listener.get_message(timeout=0.1)  # type: ignore[attr-defined]
        if message and message["data"] == word:
            return
    raise AssertionError(f"never heard {word}")
