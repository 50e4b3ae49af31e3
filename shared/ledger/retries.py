"""Which failed files of a Task are being tried again, by which Task: nobody queues them twice."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import redis
from redis.exceptions import LockError

from shared.errors import Busy, RedisAway
from shared.redis.clients import key_prefix

_KEPT_S = 86_400  # as the Task whose files these are
_LOCK_S = 60.0  # a request that takes longer was killed
_PATIENCE_S = 10.0


class Retries:
    """The retries of one instance. `client` must decode responses."""

    def __init__(self, client: redis.Redis, instance: str) -> None:
        self._redis = client
        self._prefix = key_prefix(instance)

    @contextlib.contextmanager
    def one_at_a_time(self, task_id: str) -> Iterator[None]:
        """Whoever wants to retry the same Task meanwhile waits. Raises Busy."""
        name = f"{self._prefix}retrying:{task_id}"
        lock = self._redis.lock(name, timeout=_LOCK_S, blocking_timeout=_PATIENCE_S)
        if not lock.acquire():
            raise Busy(
                f"Files of task {task_id} are being put in line again just now: look at the "
                "tasks, then ask again."
            )
        try:
            yield
        finally:
            with contextlib.suppress(LockError, RedisAway):  # it ends by itself
                lock.release()

    def tried_by(self, task_id: str) -> dict[str, str]:
        """Files of a Task, in the server's form -> the Task that tried it again last."""
        found: Any = self._redis.hgetall(self._key(task_id))
        return dict(found)

    def note(self, task_id: str, paths: Iterable[str], new_task_id: str) -> None:
        with self._redis.pipeline() as pipe:
            pipe.hset(self._key(task_id), mapping=dict.fromkeys(paths, new_task_id))
            pipe.expire(self._key(task_id), _KEPT_S)
            pipe.execute()

    def _key(self, task_id: str) -> str:
        return f"{self._prefix}retries:{task_id}"
