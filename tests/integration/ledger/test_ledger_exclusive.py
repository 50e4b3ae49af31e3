"""What only one open Task may hold, as a Collection that is grouped anew."""

from __future__ import annotations

import pytest

from shared.domain import TaskKind
from shared.errors import Busy
from shared.ledger.records import ItemFile, NewItem, NewTask
from shared.redis.clients import connect
from tests.integration.ledger.ledger_world import World


def test_only_one_open_task_holds_what_is_exclusive(redis_url: str) -> None:
    with connect(redis_url) as client:
        _try(World(client))


def _try(world: World) -> None:
    def task(name: str) -> NewTask:
        items = [NewItem(b"{}", (ItemFile("Season 1"),))]
        return NewTask(kind=TaskKind.RECLUSTER, items=items, queue="recluster", exclusive=name)

    first, second, other = task("collection:1"), task("collection:1"), task("collection:2")
    assert world.ledger.submit(first)
    with pytest.raises(Busy, match=first.task_id):
        world.ledger.submit(second)
    assert world.ledger.record(second.task_id) is None
    assert world.ledger.submit(other), "another collection is nobody's concern"
    lease = world.claimed(first.task_id)
    with pytest.raises(Busy):
        world.ledger.submit(second)
    world.ledger.settle(lease, "done")
    assert world.ledger.submit(second)
    assert world.ledger.stop(second.task_id).cancelled
    assert world.ledger.submit(task("collection:1")), "a stopped one lets go"


def test_a_task_that_redis_has_forgotten_holds_nothing(redis_url: str) -> None:
    """As when its record has run out, or a snapshot older than it was restored."""
    with connect(redis_url) as client:
        world = World(client)
        items = [NewItem(b"{}", (ItemFile("Season 1"),))]
        tasks = [
            NewTask(kind=TaskKind.RECLUSTER, items=items, queue="recluster", exclusive="c")
            for _ in range(2)
        ]
        assert world.ledger.submit(tasks[0])
        (key,) = client.keys(f"*:task:{tasks[0].task_id}")
        client.delete(key)
        assert world.ledger.submit(tasks[1])
