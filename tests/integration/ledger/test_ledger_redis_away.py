"""A Redis that is away, hangs, or comes back without what it was given."""

from __future__ import annotations

import signal

import pytest

from shared.domain import ProgressType, TaskKind, TaskState
from shared.errors import RedisAway
from shared.ledger.ledger import Ledger
from shared.ledger.records import ItemFile, NewItem, NewTask
from shared.redis.clients import connect
from tests.integration.ledger.ledger_world import World
from tests.support.private_redis import PrivateRedis
from tests.support.system.stopwatch import Stopwatch


def test_the_ledger_goes_on_when_redis_comes_back_empty(own_redis: PrivateRedis) -> None:
    with connect(own_redis.url) as client:
        world = World(client)
        lost = world.claimed(world.submitted())
        own_redis.stop()
        with pytest.raises(RedisAway):
            world.ledger.submit(world.task())
        own_redis.start()
        assert world.ledger.renew(lost) == "lost"
        assert not world.ledger.settle(lost, "done")
        assert world.ledger.record(lost.task_id) is None
        world.ledger.settle(world.claimed(world.submitted()), "done")
        assert world.ledger.recent()[0].status is TaskState.COMPLETED


def test_a_request_that_redis_lost_a_part_of_is_not_accepted(redis_url: str) -> None:
    with connect(redis_url) as client:
        world = World(client)
        running, task = world.submitted(), world.task(1, 1)

        def clock() -> float:
            world.redis.zrem(f"rushes:test:queued:{task.task_id}", 1)
            return world.now

        with pytest.raises(RedisAway):
            Ledger(world.redis, "test", clock=clock).submit(task)
        assert world.record(running).status is TaskState.QUEUED


def test_a_redis_that_hangs_is_away_within_two_seconds(own_redis: PrivateRedis) -> None:
    assert own_redis.process is not None
    with connect(own_redis.url) as client:
        world = World(client)
        own_redis.process.send_signal(signal.SIGSTOP)
        stopwatch = Stopwatch()
        with pytest.raises(RedisAway):
            world.ledger.submit(world.task())
        assert stopwatch.seconds() < 2
        own_redis.process.send_signal(signal.SIGCONT)


def test_redis_away_is_named_so(redis_url: str) -> None:
    with connect(f"{redis_url}.gone") as client, pytest.raises(RedisAway):
        Ledger(client, "test").sweep()


def test_many_large_items_fail_within_the_patience_of_every_client(redis_url: str) -> None:
    files = tuple(ItemFile(f"/stills/{n}.jpg", tuple(ProgressType)[:2]) for n in range(64))
    with connect(redis_url) as client:
        ledger = Ledger(client, "test")
        ledger.submit(NewTask(kind=TaskKind.INGEST, items=[NewItem(b"{}", files)] * 1000))
        assert ledger.fail_open("because") == 1
        assert ledger.recent()[0].status is TaskState.FAILED
