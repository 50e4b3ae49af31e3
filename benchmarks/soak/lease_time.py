"""How much of the workers' time analyses and ingestion get, seen from outside: in Redis."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Any

from shared.redis.clients import connect, key_prefix

_EVERY_S = 0.05
_HELD_BACK_MS = 60_000  # how long ingestion waits before it gets a share


class LeaseTime:
    """Looks every 50 ms which leases are held, and adds that up while ingestion gets its share.

    That is from a minute after it was first held back until nothing holds it back any more.
    """

    def __init__(self, redis_url: str, instance: str = "default") -> None:
        self._url = redis_url
        self._prefix = key_prefix(instance)
        self._kinds: dict[str, str] = {}  # of Tasks
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.seconds = {"analyze": 0.0, "ingest": 0.0}

    def __enter__(self) -> LeaseTime:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def share(self) -> float:
        """Of ingestion, 0 to 1."""
        total = sum(self.seconds.values())
        return self.seconds["ingest"] / total if total else 0.0

    def is_enough(self, least_s: float) -> bool:
        return sum(self.seconds.values()) >= least_s

    def told(self, least_s: float) -> str:
        """What was found, as a sentence."""
        total = sum(self.seconds.values())
        if not self.is_enough(least_s):
            return (
                f"the watch folder's share was not measured: it gets one after a minute, and "
                f"{total:.0f} s of lease time came after that, of {least_s:.0f} s that it takes"
            )
        looked = f"of {total:.0f} s of lease time, looked at every 50 ms from a minute on"
        return f"the watch folder had {self.share:.1%} {looked}"

    def _watch(self) -> None:
        with connect(self._url) as client:
            last = time.monotonic()
            while not self._ended.wait(_EVERY_S):
                now = time.monotonic()
                since: Any = client.hget(f"{self._prefix}ingestion", "since")
                leases: Any = client.zrange(f"{self._prefix}leases", 0, -1)
                is_sharing = since and time.time() * 1000 - int(since) >= _HELD_BACK_MS
                for lease in leases if is_sharing else ():
                    kind = self._kind(client, lease.partition("/")[0])
                    if kind in self.seconds:
                        self.seconds[kind] += now - last
                last = now

    def _kind(self, client: Any, task_id: str) -> str:
        if task_id not in self._kinds:
            self._kinds[task_id] = client.hget(f"{self._prefix}task:{task_id}", "kind") or ""
        return self._kinds[task_id]
