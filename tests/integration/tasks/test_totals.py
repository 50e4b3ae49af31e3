"""Totals outlive workers and count every fact once, however often it is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.domain import Fault, ModelKind, ProgressType, TaskKind, TaskState
from shared.ledger import ledger
from shared.ledger.records import Lease
from shared.redis.clients import connect
from tests.integration.ledger.ledger_world import AUDIO, INSTANCE, VIDEO, World


@pytest.fixture
def world(redis_url: str) -> Iterator[World]:
    with connect(redis_url) as client:
        yield World(client)


def everything(world: World) -> dict[ledger.TotalName, int]:
    return ledger.totals_by_name(world.redis.hgetall(ledger.totals_key(INSTANCE)))


def told(world: World, *name: str) -> int:
    return everything(world).get(name, 0)


def file_ended(world: World, lease: Lease, error: str | None = None, **more: object) -> None:
    world.ledger.file_ended(
        lease,
        type=VIDEO,
        index=0,
        media_path="/m/0-0",
        error=error,
        **more,  # type: ignore[arg-type]
    )


def test_a_file_counts_once_however_often_its_end_is_told(world: World) -> None:
    lease = world.claimed(world.submitted(1))
    for _ in range(3):
        file_ended(world, lease)
        file_ended(world, lease)
        assert world.ledger.settle(lease, "done")
    assert told(world, "files", "video", "done") == 1
    assert told(world, "tasks", "analyze", "completed") == 1


def test_a_skipped_file_is_no_done_file(world: World) -> None:
    lease = world.claimed(world.submitted(1))
    file_ended(world, lease, skipped=True)
    assert told(world, "files", "video", "skipped") == 1
    assert told(world, "files", "video", "done") == 0


def test_a_file_that_a_second_try_can_read_counts_as_failed_and_as_done(world: World) -> None:
    task_id = world.submitted(1)
    lease = world.claimed(task_id)
    for _ in range(2):
        file_ended(world, lease, "The disk is full.", fault=Fault.CACHE)
    world.ledger.handback(lease)
    file_ended(world, world.claimed(task_id))
    assert told(world, "files", "video", "failed") == 1
    assert told(world, "files", "video", "done") == 1
    assert told(world, "file_errors", "cache") == 1


def test_footage_counts_as_it_is_worked_through_and_a_retry_counts_only_what_is_more(
    world: World,
) -> None:
    task_id = world.submitted(1, wants=(VIDEO, AUDIO))
    lease = world.claimed(task_id)
    for seconds in (10.0, 25.5, 25.5, 20.0):
        assert world.ledger.worked(lease, VIDEO, seconds)
    assert world.ledger.worked(lease, AUDIO, 4.25)
    assert told(world, "footage_ms", "video") == 25_500
    world.ledger.handback(lease)
    again = world.claimed(task_id)
    assert not world.ledger.worked(lease, VIDEO, 60.0), "its lease is lost"
    for seconds in (10.0, 60.0):
        assert world.ledger.worked(again, VIDEO, seconds)
    assert told(world, "footage_ms", "video") == 60_000
    assert told(world, "footage_ms", "audio") == 4_250


def test_every_failed_try_of_an_item_counts_once_by_its_fault(world: World) -> None:
    task_id = world.submitted(1)
    for number in range(1, 4):
        lease = world.claimed(task_id)
        for _ in range(2):
            assert world.ledger.settle(lease, "failed", "No disk.", Fault.CACHE)
        assert told(world, "item_errors", "cache") == number
    assert told(world, "tasks", "analyze", "failed") == 1
    assert told(world, "file_errors", "cache") == 1


def test_a_worker_that_dies_counts_as_a_lost_lease(world: World) -> None:
    task_id = world.submitted(1)
    for number in range(1, 4):
        world.claimed(task_id)
        world.pass_time(12)
        assert told(world, "leases_lost") == number
    assert told(world, "files", "video", "failed") == 1
    assert told(world, "file_errors", "worker") == 1


def test_a_stopped_task_is_counted_by_its_kind_and_state(world: World) -> None:
    task_id = world.submitted(1, kind=TaskKind.INGEST)
    for _ in range(2):
        world.ledger.stop(task_id)
    assert told(world, "tasks", "ingest", "cancelled") == 1


def test_tasks_are_counted_by_state_without_reading_them(world: World) -> None:
    assert world.ledger.task_states()[0] == {}
    running = world.submitted(1)
    world.claimed(running)
    for kind in (TaskKind.EXPORT, TaskKind.EXPORT, TaskKind.RECLUSTER):
        world.submitted(1, kind=kind)
    world.ledger.stop(world.submitted(1, kind=TaskKind.EXPORT))
    world.ledger.submit(world.task(1), "queue")
    states, waits = world.ledger.task_states()
    assert states == {TaskState.RUNNING: 1, TaskState.QUEUED: 4, TaskState.CANCELLED: 1}
    assert waits == {"turn": 1, "model": 0, "root": 0, "worker": 0}


def test_model_loads_of_all_processes_add_up_and_each_is_told_once(world: World) -> None:
    first, second = (ledger.LoadCount(world.redis, INSTANCE) for _ in range(2))
    first.tell({ModelKind.VISUAL: 1})
    first.tell({ModelKind.VISUAL: 1})
    second.tell({ModelKind.VISUAL: 2, ModelKind.SPEECH: 1})
    first.tell({ModelKind.VISUAL: 3})
    assert told(world, "model_loads", "visual") == 5
    assert told(world, "model_loads", "speech") == 1


def test_what_never_happened_is_not_there(world: World) -> None:
    world.claimed(world.submitted(1, wants=(ProgressType.FACES,)))
    assert everything(world) == {}
