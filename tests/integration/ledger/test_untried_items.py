"""A worker that has Items in hand takes no other that a worker may have died of."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from shared.errors import TriedBefore
from shared.redis.clients import connect
from tests.integration.ledger.ledger_world import World


@pytest.fixture
def world(redis_url: str) -> Iterator[World]:
    with connect(redis_url) as client:
        yield World(client)


def test_who_wants_an_untried_item_leaves_one_that_was_tried_as_it_is(world: World) -> None:
    claim = partial(world.ledger.claim, worker="w2", untried=True)
    task_id = world.submitted(1, 1, 1)
    world.ledger.handback(world.claimed(task_id))  # is no try
    assert claim(task_id, 0, nonce="a")
    assert claim(task_id, 0, nonce="a"), "a repeated call"
    world.ledger.settle(world.claimed(task_id, 1), "failed", "It is broken.")
    world.claimed(task_id, 2)
    world.pass_time(11)
    for item_id in (1, 2):
        with pytest.raises(TriedBefore):
            claim(task_id, item_id, nonce="b")
        assert world.claimed(task_id, item_id).tries == 1
