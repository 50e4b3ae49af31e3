"""What became of an Item, beyond done or failed, is kept with it and goes with its Task."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.domain import ProgressType, TaskKind, TaskState
from shared.errors import Missing
from shared.ledger.records import FileState
from shared.redis.clients import connect
from tests.integration.ledger.ledger_world import World

EXPORT = ProgressType.EXPORT


@pytest.fixture
def world(redis_url: str) -> Iterator[World]:
    with connect(redis_url) as client:
        yield World(client)


def exporting(world: World, count: int) -> str:
    return world.submitted(*[1] * count, kind=TaskKind.EXPORT, wants=(EXPORT,))


def test_results_are_found_by_item_and_none_where_there_is_none(world: World) -> None:
    task_id = exporting(world, 4)
    assert world.ledger.results(task_id) == [None] * 4
    world.ledger.settle(world.claimed(task_id, 2), "done", result='{"path": "/ü.mov"}'.encode())
    world.ledger.settle(world.claimed(task_id, 0), "done")
    world.claimed(task_id, 1)
    assert world.ledger.results(task_id) == [None, None, {"path": "/ü.mov"}, None]
    with pytest.raises(Missing):
        world.ledger.results("0" * 32)


def test_a_result_counts_once_and_only_with_the_lease(world: World) -> None:
    task_id = exporting(world, 1)
    late = world.claimed(task_id)
    world.pass_time(20)
    lease = world.claimed(task_id, worker="w2")
    assert not world.ledger.settle(late, "done", result=b'{"by": "late"}')
    assert world.ledger.settle(lease, "done", result=b'{"by": "w2"}')
    assert world.ledger.settle(lease, "done", result=b'{"by": "again"}')
    assert not world.ledger.settle(late, "done", result=b'{"by": "late"}')
    assert world.ledger.results(task_id) == [{"by": "w2"}]


def test_an_item_whose_file_failed_keeps_its_result_and_gives_the_task_its_reason(
    world: World,
) -> None:
    task_id = exporting(world, 1)
    lease = world.claimed(task_id)
    world.ledger.file_ended(lease, type=EXPORT, index=0, media_path="/m/0-0", error="Too short.")
    world.ledger.settle(lease, "done", "No clip was exported.", result=b'{"code": "bad_range"}')
    record = world.record(task_id)
    assert (record.status, record.error) == (TaskState.FAILED, "No clip was exported.")
    assert world.ledger.results(task_id) == [{"code": "bad_range"}]
    (file,) = world.ledger.files(task_id)
    assert (file.state, file.error) == (FileState.FAILED, "Too short.")


def test_a_cancelled_or_failed_item_keeps_no_result(world: World) -> None:
    task_id = exporting(world, 2)
    first, second = world.claimed(task_id, 0), world.claimed(task_id, 1)
    world.ledger.stop(task_id)
    world.ledger.settle(first, "cancelled", result=b"{}")
    world.ledger.settle(second, "failed", "broken", result=b"{}")
    assert world.ledger.results(task_id) == [None, None]
    assert world.record(task_id).status is TaskState.CANCELLED
