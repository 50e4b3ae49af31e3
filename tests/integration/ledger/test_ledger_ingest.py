"""Tasks of watch folders in the ledger: who may submit them, their stop, and their jobs."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from shared.domain import TaskKind, TaskState
from shared.errors import NotLeader
from shared.ledger.ledger import Ledger
from shared.ledger.records import ItemJob, NewTask
from shared.redis.clients import connect
from shared.watch.live import SoleLease
from tests.integration.ledger.ledger_world import INSTANCE, World

INGEST = TaskKind.INGEST
QUEUE = f"rq:queue:rushes-{INSTANCE}-analysis"


@pytest.fixture
def world(redis_url: str) -> Iterator[World]:
    with connect(redis_url) as client:
        yield World(client)


def led(world: World, leader: str) -> NewTask:
    return msgspec.structs.replace(world.task(1, 1, kind=INGEST), leader=leader)


def test_the_active_watcher_may_submit_and_again_is_harmless(world: World) -> None:
    SoleLease(world.redis, INSTANCE).acquire("me")
    task = led(world, "me")
    assert world.ledger.submit(task)
    assert world.ledger.submit(task)
    assert world.ledger.open_tasks(INGEST) == [task.task_id]


def test_what_was_accepted_stays_accepted_when_another_watcher_has_taken_over(
    world: World,
) -> None:
    lease = SoleLease(world.redis, INSTANCE)
    lease.acquire("me")
    task = led(world, "me")
    world.ledger.submit(task)
    lease.release("me")
    lease.acquire("another")
    assert world.ledger.submit(task), "its first answer was lost"


@pytest.mark.parametrize("active", ["another", None])
def test_a_watcher_that_is_active_no_more_submits_nothing(world: World, active: str | None) -> None:
    if active:
        SoleLease(world.redis, INSTANCE).acquire(active)
    before = set(world.redis.scan_iter())
    task = led(world, "me")
    with pytest.raises(NotLeader):
        world.ledger.submit(task)
    assert world.ledger.record(task.task_id) is None
    assert world.ledger.open_tasks(INGEST) == []
    world.pass_time(70)
    assert set(world.redis.scan_iter()) == before, "what was staged is swept"


def test_open_tasks_are_those_of_the_kind_that_are_not_final(world: World) -> None:
    first, second = world.submitted(kind=INGEST), world.submitted(kind=INGEST)
    done = world.submitted(kind=INGEST)
    world.ledger.settle(world.claimed(done), "done")
    world.claimed(second)
    world.submitted()
    world.ledger.stop(second)
    assert world.record(second).status is TaskState.STOPPING
    assert sorted(world.ledger.open_tasks(INGEST)) == sorted([first, second])
    assert world.ledger.open_tasks(TaskKind.EXPORT) == []


def test_a_stop_ends_an_ingest_task_at_once_when_no_worker_has_an_item_of_it(
    world: World,
) -> None:
    task_id = world.submitted(1, 1, 1, kind=INGEST)
    world.ledger.settle(world.claimed(task_id), "done")
    world.ledger.handback(world.claimed(task_id, 1))
    foreground = world.submitted()
    assert world.ledger.stop(task_id).cancelled
    assert world.record(task_id).status is TaskState.CANCELLED
    assert world.ledger.open_tasks(INGEST) == []
    world.ledger.settle(world.claimed(foreground), "done")
    world.now += 2
    assert world.ledger.sweep() == [], "nothing of it is enqueued"


def test_what_yielded_is_enqueued_as_soon_as_the_foreground_has_ended_though_other_jobs_wait(
    world: World,
) -> None:
    ingest = world.submitted(1, 1, 1, kind=INGEST)
    held = world.claimed(ingest, 1)
    foreground = world.submitted()
    world.redis.rpush(QUEUE, "a job")
    world.ledger.handback(held)
    assert not world.can_claim(ingest, 2), "its job is taken, and lost"
    for _ in range(3):
        world.now += 2
        assert world.ledger.sweep() == []
    world.ledger.settle(world.claimed(foreground), "done")
    world.now += 0.1
    enqueued = world.ledger.sweep()
    assert enqueued == [ItemJob(ingest, n, "analysis", False) for n in (1, 2)]
    assert world.ledger.sweep() == [], "once is enough"


def test_jobs_taken_while_the_lock_is_reserved_are_not_lost(
    world: World,
) -> None:
    held = world.claimed(world.submitted())
    ingest = world.submitted(1, kind=INGEST)
    world.redis.rpush(QUEUE, "a job")

    def meanwhile(_seconds: float) -> None:
        world.ledger.settle(held, "cancelled")
        assert not world.can_claim(ingest), "the lock is promised"
        raise KeyboardInterrupt  # the client is killed

    ledger = Ledger(world.redis, INSTANCE, clock=lambda: world.now, pause=meanwhile)
    with pytest.raises(KeyboardInterrupt):
        ledger.submit(world.task())
    assert world.ledger.sweep() == []
    world.now += 3
    assert world.ledger.sweep() == [ItemJob(ingest, 0, "analysis", False)]


def test_what_yielded_and_was_stopped_meanwhile_is_not_rung(world: World) -> None:
    ingest = world.submitted(1, kind=INGEST)
    held = world.claimed(ingest)
    foreground = world.submitted()
    world.ledger.handback(held)
    world.ledger.stop(ingest)
    world.ledger.settle(world.claimed(foreground), "done")
    world.now += 2
    assert world.ledger.sweep() == []
    assert not world.redis.exists(f"rushes:{INSTANCE}:yielded")


def test_all_jobs_of_an_ingest_task_are_enqueued_when_they_were_lost(world: World) -> None:
    ingest = world.submitted(*[1] * 128, kind=INGEST)
    world.now += 2
    assert len(world.ledger.sweep()) == 128
    assert {world.claimed(ingest, n).item_id for n in range(20)} == set(range(20))


def test_more_yielded_items_than_one_sweep_may_ring_are_rung_by_the_next(world: World) -> None:
    ingest = world.submitted(*[1] * 1100, kind=INGEST)
    foreground = world.submitted()
    for n in range(1100):
        assert not world.can_claim(ingest, n)
    world.redis.rpush(QUEUE, "a job")
    world.ledger.settle(world.claimed(foreground), "done")
    enqueued = world.ledger.sweep()
    assert len(enqueued) == 1000
    enqueued += world.ledger.sweep()
    assert [job.item_id for job in enqueued] == list(range(1100))
