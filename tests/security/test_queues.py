"""Somebody who can write to Redis: a worker does Items of the ledger, and nothing else."""

from __future__ import annotations

import json
import os
import pickle
import socket
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from rq import Callback, Queue, Repeat, Retry, SimpleWorker
from rq.group import Group
from rq.job import Job
from rq.serializers import DefaultSerializer, JSONSerializer, PickleSerializer
from rq.webhook import Webhook

from shared.domain import TaskKind, TaskState
from shared.ledger.ledger import FUNCTION, job_key, queue_key, queue_name, rq_queue
from shared.redis.clients import connect
from tests.support.analysis.desk import INSTANCE, Desk
from tests.support.media.media import make_clip
from tests.support.stack import ADDRESS_SPACE
from workers.worker import JobConsumer

QUEUE = "analysis"
OURS = {"task_id": "0" * 32, "item_id": 0}


class Touches:
    """What runs a command as soon as somebody unpickles it."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        return os.system, (self.command,)


class Attacker:
    """Puts things into Redis; whatever runs touches the canary."""

    def __init__(self, raw: redis.Redis, folder: Path) -> None:
        self.raw = raw
        self.canary = folder / "canary"
        self.command = f"touch '{self.canary}'"
        self.queue = rq_queue(raw, INSTANCE, QUEUE)
        self.jobs = 0

    def push(self, data: bytes, **fields: str | bytes | int) -> str:
        """A job as raw as it can be."""
        self.jobs += 1
        job_id = f"attack-{self.jobs}"
        now = "2026-01-01T00:00:00.000000Z"
        stored: dict[Any, Any] = {"data": data, "created_at": now, "origin": self.queue.name}
        self.raw.hset(job_key(job_id.encode()).decode(), mapping={**stored, **fields})
        self.raw.rpush(queue_key(INSTANCE, QUEUE), job_id)
        return job_id

    def packed(self, function: Any = FUNCTION, *rest: Any, **fields: str | bytes | int) -> str:
        instance, args, kwargs = rest or (None, [], OURS)
        text = json.dumps([function, instance, args, kwargs]).encode()
        return self.push(zlib.compress(text), **fields)


def other_functions(a: Attacker) -> None:
    for name in ("os.system", "subprocess.getoutput", "builtins.exec", "workers.worker.os.system"):
        a.queue.enqueue_call(name, args=(a.command,), timeout=-1)
        a.packed(name, None, [a.command], {})
    a.packed("builtins.eval", None, [f"__import__('os').system({a.command!r})"], {})
    a.packed(f"{FUNCTION}.__globals__", None, [], OURS)


def other_shapes(a: Attacker) -> None:
    a.packed("system", "os", [a.command], {})
    a.packed(FUNCTION, {"py/object": "os"}, [], OURS)
    a.packed(FUNCTION, None, [], {**OURS, "more": a.command})
    a.packed(FUNCTION, None, [a.command], OURS)
    a.packed(FUNCTION, None, [], {"task_id": "a/../b\n", "item_id": 0})
    a.packed(FUNCTION, None, [], {"task_id": "a", "item_id": -1})
    a.packed(None, None, [], {})
    a.packed([FUNCTION], None, [], OURS)


def callbacks(a: Attacker) -> None:
    system = Callback("os.system")
    on: Any = {"on_success": system, "on_failure": system, "on_stopped": system}
    for function in (FUNCTION, "os.system"):
        job = Job.create(function, (a.command,), connection=a.raw, serializer=JSONSerializer, **on)
        a.queue.enqueue_job(job)
    names = ("success", "failure", "stopped")
    a.packed(**{f"{name}_callback_name": "os.system" for name in names})


def pickles(a: Attacker) -> None:
    bad = pickle.dumps(Touches(a.command))
    name = queue_name(INSTANCE, QUEUE)
    for serializer in (DefaultSerializer, PickleSerializer):
        Queue(name, connection=a.raw, serializer=serializer).enqueue(
            "builtins.print", Touches(a.command)
        )
    a.push(bad)
    a.push(zlib.compress(bad))
    a.packed(meta=bad, result=bad, exc_info=bad)


def what_rq_does_again(a: Attacker) -> None:
    again: Any = {"retry": Retry(max=3), "repeat": Repeat(times=3)}
    a.queue.enqueue("os.system", a.command, **again)
    first = a.queue.enqueue("os.getpid")
    a.queue.enqueue("os.system", a.command, depends_on=first)
    group = Group(a.raw, "attack")
    group.enqueue_many(a.queue, [Queue.prepare_data("os.system", (a.command,))])
    a.packed(timeout=10**12, result_ttl=-1, retries_left=5, repeats_left=5, group_id="attack")


def what_rq_cleans(a: Attacker) -> None:
    """What RQ's maintenance reads: abandoned jobs, stuck jobs, groups, rate limits."""
    bad = pickle.dumps(Touches(a.command))
    name = queue_name(INSTANCE, QUEUE)
    for kind in ("wip", "failed", "deferred", "ready", "finished", "scheduled"):
        job_id = a.packed(status="started", failure_callback_name="os.system", result=bad, meta=bad)
        a.raw.zadd(f"rq:{kind}:{name}", {job_id: 1, f"{job_id}:execution": 1})
        a.raw.sadd("rq:groups", "attack")
        a.raw.sadd("rq:group:attack", job_id)
        a.raw.rpush(f"{queue_key(INSTANCE, QUEUE)}:intermediate", job_id)
        a.raw.set(f"{queue_key(INSTANCE, QUEUE)}:intermediate:first_seen:{job_id}", 1)


def not_even_jobs(a: Attacker) -> None:
    a.push(b"")
    a.push(b"\xff" * 100)
    a.push(zlib.compress(b"[" * 1000))
    a.push(zlib.compress(b" " * 50_000_000))
    a.push(b"x" * 5_000_000)
    a.raw.rpush(queue_key(INSTANCE, QUEUE), "nothing", b"\xff\n\x00", "x" * 1_000_000)
    a.raw.set("rq:job:a-string", "x")
    a.raw.rpush(queue_key(INSTANCE, QUEUE), "a-string")


@pytest.fixture
def desk(tmp_path: Path, redis_url: str) -> Iterator[Desk]:
    desk = Desk(tmp_path, redis_url)
    desk.stack.address_space = dict(ADDRESS_SPACE)
    yield desk
    desk.close()


@pytest.fixture
def attacker(tmp_path: Path, redis_url: str) -> Iterator[Attacker]:
    with connect(redis_url, decode=False) as raw:
        yield Attacker(raw, tmp_path)


ATTACKS = (
    other_functions,
    other_shapes,
    callbacks,
    pickles,
    what_rq_does_again,
    what_rq_cleans,
    not_even_jobs,
)


def test_the_canary_sings_where_rqs_own_worker_takes_the_job(attacker: Attacker) -> None:
    """Else the tests below could not fail."""
    other_functions(attacker)
    SimpleWorker([attacker.queue], connection=attacker.raw, serializer=JSONSerializer).work(
        burst=True, logging_level="CRITICAL"
    )
    assert attacker.canary.exists()


def test_nothing_that_lies_in_a_queue_runs_and_the_next_task_is_done(
    desk: Desk, attacker: Attacker
) -> None:
    for attack in ATTACKS:
        attack(attacker)
    attacker.packed("os.getcwd")
    # Behind all that: it is done only after all that was taken.
    task_id = desk.submit([make_clip(desk.folder / "clip.mp4", 1)], kind=TaskKind.INGEST)
    worker = desk.worker()
    assert desk.wait_final(task_id).status is TaskState.COMPLETED
    assert not attacker.canary.exists()
    text = worker.text()
    assert worker.popen.poll() is None
    for name in ("os.system", "os.getcwd"):
        assert f"not ours was dropped: '[\"{name}" in text, "a foreign job is told by its name"
    assert "ERROR" not in text
    assert "\n'" not in text, "what a job names cannot begin a line of the log"
    assert not list(attacker.raw.scan_iter("rq:workers*")), "RQ's own worker did not run"


def test_a_webhook_of_a_job_calls_nobody(desk: Desk, attacker: Attacker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        hooks = [Webhook(url, "finished"), Webhook(url, "failed")]
        for function in (FUNCTION, "os.system"):
            job = Job.create(
                function, kwargs=OURS, connection=attacker.raw, serializer=JSONSerializer,
                webhooks=hooks,
            )  # fmt: skip
            attacker.queue.enqueue_job(job)
        task_id = desk.submit([make_clip(desk.folder / "clip.mp4", 1)], kind=TaskKind.INGEST)
        desk.worker()
        assert desk.wait_final(task_id).status is TaskState.COMPLETED
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_job_of_the_version_before_is_still_done(desk: Desk, attacker: Attacker) -> None:
    task_id = desk.submit([make_clip(desk.folder / "clip.mp4", 1)])
    attacker.raw.delete(queue_key(INSTANCE, QUEUE))
    words = {"task_id": task_id, "item_id": 0}
    job = attacker.packed(FUNCTION, None, [], words, status="queued", timeout=-1, result_ttl=0)
    taken = JobConsumer(desk.redis_url, INSTANCE, QUEUE).take()
    assert taken is not None
    assert (taken.task_id, taken.item_id) == (task_id, 0)
    assert not attacker.raw.exists(f"rq:job:{job}")
