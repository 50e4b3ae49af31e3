"""Tasks of watch folders in the ledger: who may submit them, their stop, and their bells."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from shared.domain import TaskKind, TaskState
from shared.errors import StoodDown
from shared.redis_clients import connect
from shared.task_records import NewTask
from shared.watch_board import WatchBoard
from tests.integration.ledger_world import INSTANCE, World

INGEST = TaskKind.INGEST
QUEUE = f"rq:queue:rushes-{INSTANCE}-analysis"


@pytest.fixture
def world(redis_url: str) -> Iterator[World]:
    with connect(redis_url) as client:
        yield World(client)


def led(world: World, leader: str) -> NewTask:
    return msgspec.structs.replace(world.task(1, 1, kind=INGEST), leader=leader)


def test_the_active_watcher_may_submit_and_again_is_harmless(world: World) -> None:
    WatchBoard(world.redis, INSTANCE).take("me")
    task = led(world, "me")
    assert world.ledger.submit(task)
    assert world.ledger.submit(task)
    assert world.ledger.open_tasks(INGEST) == [task.task_id]


def test_what_was_accepted_stays_accepted_when_another_watcher_has_taken_over(
    world: World,
) -> None:
    board = WatchBoard(world.redis, INSTANCE)
    board.take("me")
    task = led(world, "me")
    world.ledger.submit(task)
    board.leave("me")
    board.take("another")
    assert world.ledger.submit(task), "its first answer was lost"


@pytest.mark.parametrize("active", ["another", None])
def test_a_watcher_that_is_active_no_more_submits_nothing(world: World, active: str | None) -> None:
    if active:
        WatchBoard(world.redis, INSTANCE).take(active)
    before = set(world.redis.scan_iter())
    task = led(world, "me")
    with pytest.raises(StoodDown):
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
    assert world.ledger.sweep() == [], "nothing of it is rung"
