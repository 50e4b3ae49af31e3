"""RQ jobs: each wakes a warm worker with (task, item) and decides nothing else.

RQ writes them. Its statuses, retries, registries and workers are not used:
`workers/worker.py` takes them. A lost or doubled job is harmless, because claiming in the
ledger is atomic and `sweep` names the jobs to enqueue again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import redis
from rq import Queue
from rq.serializers import JSONSerializer

from shared.errors import RedisAway
from shared.ledger.records import ItemJob
from shared.redis.clients import room, translated

# Not a function any more: jobs of every version name it so, and workers before this one call it.
FUNCTION = "workers.worker.answer_bell"
# A job that nobody has taken for so long goes: the sweep enqueues again where an Item waits.
_TTL_S = 7 * 86_400
_AT_ONCE = 1000  # jobs in one pipeline: each must fit the socket timeout


def queue_name(instance: str, queue: str) -> str:
    """RQ name of one of our queues; a worker process listens to exactly one."""
    return f"rushes-{instance}-{queue}"


def queue_key(instance: str, queue: str) -> str:
    """The Redis list of a queue's job ids."""
    return f"rq:queue:{queue_name(instance, queue)}"


def job_key(job_id: bytes) -> bytes:
    """The Redis hash of a job."""
    return b"rq:job:" + job_id


def rq_queue(connection: redis.Redis, instance: str, queue: str) -> Queue:
    """The RQ queue of one of our queues. `connection` must not decode: RQ reads bytes."""
    return Queue(queue_name(instance, queue), connection=connection, serializer=JSONSerializer)


class JobQueues:
    """The RQ queues of one instance. `connection` must not decode responses."""

    def __init__(self, connection: redis.Redis, instance: str) -> None:
        self._connection = connection
        self._instance = instance

    def enqueue(self, jobs: Iterable[ItemJob], ttl_s: int = _TTL_S) -> None:
        """Enqueue jobs; those with `front` come, in order, before all that wait already.

        Of each kind some at least, which frees memory; raises RedisAway before they fill Redis.
        """
        by_queue: dict[tuple[str, bool], list[ItemJob]] = {}
        for job in jobs:
            by_queue.setdefault((job.queue, job.front), []).append(job)
        for (queue, front), group in by_queue.items():
            target = rq_queue(self._connection, self._instance, queue)
            # Each job at the front goes before the last one pushed.
            ordered = group[::-1] if front else group
            with translated():
                for start in range(0, len(ordered), _AT_ONCE):
                    if start and room(self._connection) < 0:
                        raise RedisAway("Redis is nearly full.")
                    some = ordered[start : start + _AT_ONCE]
                    target.enqueue_many([_job(job, ttl_s) for job in some])

    def waiting(self, queue: str) -> int:
        """Number of jobs in a queue that no worker has taken yet."""
        with translated():
            return int(rq_queue(self._connection, self._instance, queue).count)


def _job(job: ItemJob, ttl_s: int) -> Any:
    return Queue.prepare_data(
        FUNCTION,
        kwargs={"task_id": job.task_id, "item_id": job.item_id},
        timeout=-1,
        ttl=ttl_s,
        result_ttl=0,
        failure_ttl=300,
        description=f"{job.task_id}/{job.item_id}",
        at_front=job.front,
    )
