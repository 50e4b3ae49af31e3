"""RQ jobs: what lies in Redis after enqueueing."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import redis
from rq.job import Job
from rq.serializers import JSONSerializer

from shared.domain import TaskKind
from shared.errors import RedisAway
from shared.ledger.ledger import JobQueues, Ledger, queue_name, rq_queue
from shared.ledger.records import ItemJob, NewItem, NewTask
from shared.redis.clients import connect


@pytest.fixture
def raw(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url, decode=False) as client:
        yield client


def _waiting_items(raw: redis.Redis) -> list[int]:
    return [job.kwargs["item_id"] for job in rq_queue(raw, "test", "analysis").jobs]


def test_a_bell_names_the_workers_function_and_one_item(raw: redis.Redis) -> None:
    JobQueues(raw, "test").enqueue([ItemJob("a" * 32, 7, "analysis", False)])
    (job,) = rq_queue(raw, "test", "analysis").jobs
    assert job.func_name == "workers.worker.answer_bell"
    assert not job.args
    assert job.kwargs == {"task_id": "a" * 32, "item_id": 7}


def test_a_bell_leaves_everything_to_the_ledger(raw: redis.Redis) -> None:
    JobQueues(raw, "test").enqueue([ItemJob("a" * 32, 7, "analysis", True)])
    (job,) = rq_queue(raw, "test", "analysis").jobs
    assert (job.timeout, job.result_ttl, job.failure_ttl) == (-1, 0, 300)
    assert job.retries_left is None
    assert job.ttl == 7 * 86_400, "a job may wait for days, not for ever"


def test_jobs_are_written_as_json(raw: redis.Redis) -> None:
    JobQueues(raw, "test").enqueue([ItemJob("a" * 32, 7, "analysis", False)])
    (job,) = rq_queue(raw, "test", "analysis").jobs
    assert Job.fetch(job.id, connection=raw, serializer=JSONSerializer).kwargs["item_id"] == 7
    assert json.loads(job.data)[0] == "workers.worker.answer_bell"


def test_foreground_jobs_come_first_and_in_order(raw: redis.Redis) -> None:
    jobs = JobQueues(raw, "test")
    jobs.enqueue([ItemJob("ingest", n, "analysis", False) for n in (10, 11)])
    jobs.enqueue([ItemJob("foreground", n, "analysis", True) for n in (1, 2, 3)])
    assert _waiting_items(raw) == [1, 2, 3, 10, 11]


def test_queues_are_kept_apart_by_instance_and_kind(raw: redis.Redis) -> None:
    jobs = JobQueues(raw, "test")
    jobs.enqueue([ItemJob("t", 0, "analysis", False), ItemJob("t", 0, "export", False)])
    assert jobs.waiting("analysis") == jobs.waiting("export") == 1
    assert jobs.waiting("recluster") == 0
    assert JobQueues(raw, "other").waiting("analysis") == 0
    assert queue_name("test", "analysis") == "rushes-test-analysis"


def test_ten_thousand_jobs_keep_their_order(raw: redis.Redis) -> None:
    jobs = JobQueues(raw, "test")
    jobs.enqueue(ItemJob("t", n, "analysis", True) for n in range(10_000))
    assert jobs.waiting("analysis") == 10_000
    ids = rq_queue(raw, "test", "analysis").job_ids
    first, last = (
        Job.fetch(job_id, connection=raw, serializer=JSONSerializer) for job_id in (ids[0], ids[-1])
    )
    assert (first.kwargs["item_id"], last.kwargs["item_id"]) == (0, 9_999)


def test_jobs_of_stopped_tasks_do_not_pile_up_while_no_worker_listens(redis_url: str) -> None:
    with connect(redis_url) as client, connect(redis_url, decode=False) as raw:
        ledger, jobs = Ledger(client, "test"), JobQueues(raw, "test")
        for _ in range(3):
            task = NewTask(kind=TaskKind.ANALYZE, items=[NewItem(b"{}")] * 5)
            ledger.submit(task)
            jobs.enqueue(ItemJob(task.task_id, n, "analysis", True) for n in range(5))
        ledger.sweep()
        assert jobs.waiting("analysis") == 15, "somebody may take them"
        ledger.stop()
        ledger.sweep()
        assert jobs.waiting("analysis") == 0
        assert all(0 < client.ttl(key) <= 7 * 86_400 for key in client.scan_iter("rq:job:*"))


def test_ringing_without_redis_says_so(redis_url: str) -> None:
    with connect(f"{redis_url}.gone", decode=False) as client, pytest.raises(RedisAway):
        JobQueues(client, "test").enqueue([ItemJob("t", 0, "analysis", False)])
