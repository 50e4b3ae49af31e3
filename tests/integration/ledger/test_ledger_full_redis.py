"""A Redis that is nearly full: new Tasks are refused, and everything else goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from shared.domain import ProgressType, TaskKind, TaskState
from shared.errors import RedisAway
from shared.ledger.ledger import JobQueues, Ledger
from shared.ledger.records import ItemFile, ItemJob, NewItem, NewTask
from shared.redis import heartbeats
from shared.redis.clients import connect
from tests.support.private_redis import PrivateRedis

MOST = 20_000_000
ITEMS = 200
WANTS = (ProgressType.VIDEO, ProgressType.AUDIO)


@pytest.fixture
def client(own_redis: PrivateRedis) -> Iterator[redis.Redis]:
    with connect(own_redis.url) as client:
        client.config_set("maxmemory", MOST)
        yield client


def _task(items: int) -> NewTask:
    files = [ItemFile(f"/media/reels/{n:06}.mp4", WANTS) for n in range(items)]
    return NewTask(kind=TaskKind.INGEST, items=[NewItem(b"x" * 900, (file,)) for file in files])


def test_what_was_accepted_before_redis_was_full_comes_to_its_end(
    client: redis.Redis, own_redis: PrivateRedis
) -> None:
    for n in range(10):
        client.set(f"another {n}", "x" * 1_000_000)
    ledger = Ledger(client, "test")
    with connect(own_redis.url, decode=False) as raw:
        with pytest.raises(RedisAway, match=r"nearly full.*send fewer files.*maxmemory"):
            _fill(ledger, JobQueues(raw, "test"))
        raw.rpush("a question", b"x" * 100_000)
    accepted = ledger.recent()
    assert len(accepted) > 2
    client.delete(*client.keys("rq:*"))  # workers take them
    for record in accepted:
        for n in range(ITEMS):
            _fail(ledger, record.task_id, n)
        ledger.sweep()
    assert {record.status for record in ledger.recent()} == {TaskState.FAILED}
    beat = heartbeats.Heartbeat(name="w", kind="analysis", host="h", pid=1, started_at=0)
    heartbeats.publish(client, "test", beat)
    assert client.info("memory")["used_memory"] < MOST


def test_a_task_larger_than_the_room_leaves_nothing(client: redis.Redis) -> None:
    with pytest.raises(RedisAway, match="nearly full"):
        Ledger(client, "test").submit(_task(5000))
    assert client.keys("rushes:*") == []


def test_jobs_do_not_fill_what_the_items_need(client: redis.Redis, own_redis: PrivateRedis) -> None:
    jobs = [ItemJob("a" * 32, n, "analysis", False) for n in range(12_000)]
    with connect(own_redis.url, decode=False) as raw:
        with pytest.raises(RedisAway, match="nearly full"):
            JobQueues(raw, "test").enqueue(jobs)
        JobQueues(raw, "test").enqueue(jobs[:10])
    assert client.info("memory")["used_memory"] < MOST


def test_without_a_limit_everything_is_accepted(client: redis.Redis) -> None:
    client.config_set("maxmemory", 0)
    assert Ledger(client, "test").submit(_task(5000))


def _fill(ledger: Ledger, queues: JobQueues) -> None:
    while True:
        task = _task(ITEMS)
        ledger.submit(task)
        queues.enqueue(ItemJob(task.task_id, n, task.queue, False) for n in range(ITEMS))


def _fail(ledger: Ledger, task_id: str, n: int) -> None:
    lease = ledger.claim(task_id, n, "host-analysis-1", "nonce")
    assert lease
    for kind in WANTS:
        path = f"/media/reels/{n:06}.mp4"
        assert ledger.file_ended(lease, type=kind, index=0, media_path=path, error="Damaged.")
    assert ledger.settle(lease, "done")
