"""Takes jobs from an RQ queue as mere words: nothing that a job names is imported or called.

RQ's own worker imports whatever function, callback or class a job names, unpickles what lies beside
it and calls web addresses for it. So whoever can write to Redis would run what he likes.
"""

from __future__ import annotations

import logging
import zlib
from typing import Annotated, Any, Literal

import msgspec
import redis
from msgspec import Meta

from shared.ledger.jobs import FUNCTION, job_key, queue_key
from shared.redis.clients import connect_blocking

log = logging.getLogger(__name__)

BLOCK_S = 1.0  # of one blocking pop; so long a stop waits for an idle worker
_LARGEST_JOB = 1024  # bytes, packed or not; ours have 130
_SHOWN = 80  # characters of what a foreign job names

assert FUNCTION == "workers.worker.answer_bell", "a Literal cannot name a constant"


class ItemToDo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a job says: which Item waits for a worker."""

    task_id: Annotated[str, Meta(pattern="^[0-9a-zA-Z_-]{1,64}$")]
    item_id: Annotated[int, Meta(ge=0)]


# Function, instance, arguments and keyword arguments, as RQ writes a job in JSON.
_JOB = tuple[Literal["workers.worker.answer_bell"], None, tuple[()], ItemToDo]


class _Foreign(Exception):
    """A job that names something else than our function; the message says what."""


class JobConsumer:
    """Takes the jobs of queues, the first before others; one a thread, as a pop blocks."""

    def __init__(self, redis_url: str, instance: str, *queues: str) -> None:
        self._redis = connect_blocking(redis_url, block_s=BLOCK_S, decode=False)
        self._queues = [queue_key(instance, queue) for queue in queues]

    def take(self) -> ItemToDo | None:
        """The next job of ours; None after BLOCK_S, or where a foreign one was dropped.

        Raises redis-py's errors while Redis is away. A job that is lost after it was taken does no
        harm: the sweep enqueues again.
        """
        popped: Any = self._redis.blpop(self._queues, timeout=BLOCK_S)
        if popped is None:
            return None
        key = job_key(popped[1])
        try:
            return _understood(self._data(key))
        except _Foreign as foreign:
            log.warning("A job that is not ours was dropped: %r", str(foreign)[:_SHOWN])
            return None
        finally:
            self._redis.unlink(key)

    def close(self) -> None:
        self._redis.close()

    def _data(self, key: bytes) -> bytes | None:
        """What RQ calls the data of a job; None where the job is gone, as an expired one."""
        try:
            if self._redis.hstrlen(key, "data") > _LARGEST_JOB:
                raise _Foreign(f"more than {_LARGEST_JOB} bytes")
            found: bytes | None = self._redis.hget(key, "data")  # type: ignore[assignment]
        except redis.ResponseError as error:
            raise _Foreign(str(error)) from error
        return found


def _understood(data: bytes | None) -> ItemToDo | None:
    if data is None:
        return None
    try:
        text = zlib.decompressobj().decompress(data, _LARGEST_JOB)
    except zlib.error:
        raise _Foreign(repr(data)) from None
    try:
        job: tuple[Any, ...] = msgspec.json.decode(text, type=_JOB)
    except (msgspec.MsgspecError, RecursionError):
        raise _Foreign(text.decode(errors="backslashreplace")) from None
    item: ItemToDo = job[3]
    return item
