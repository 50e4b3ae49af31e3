"""Measure how long something takes, independent of what else the machine computes meanwhile."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from pathlib import Path

from tests.support.stack import Stack

_LEAST_SHARE = 0.25  # of the wall time: threads may wait for a processor beside one that sleeps


class Stopwatch:
    """Seconds since its start, less the time in which the processes waited for a processor.

    The processes are those of `stack` and its Redis, those of `pids` and the test's own. The
    kernel counts for each thread how long it ran, and how long it was ready to run and had no
    processor. Of each process the thread that waited longest counts; a thread that has ended
    counts as when `seconds` was last called. The result is not less than what the busiest thread
    computed, nor than a quarter of the time on the wall. On an idle machine this is that time.
    """

    def __init__(self, stack: Stack | None = None, *pids: int) -> None:
        self._stack, self._pids = stack, (os.getpid(), *pids, *_redis_of(stack))
        self._counts: dict[tuple[int, str], tuple[float, float]] = {}
        self._read_counts()
        self._counts_before = self._counts.copy()
        self._began = time.monotonic()

    def seconds(self) -> float:
        wall = time.monotonic() - self._began
        self._read_counts()
        busiest, longest_waits = 0.0, defaultdict[int, float](float)
        for (pid, thread), (ran, waited) in self._counts.items():
            ran_before, waited_before = self._counts_before.get((pid, thread), (0.0, 0.0))
            busiest = max(busiest, ran - ran_before)
            longest_waits[pid] = max(longest_waits[pid], waited - waited_before)
        return max(busiest, wall - sum(longest_waits.values()), wall * _LEAST_SHARE)

    def _read_counts(self) -> None:
        """Read how many seconds each thread has run and has waited for a processor."""
        processes = self._stack.processes.values() if self._stack else ()
        for pid in (*self._pids, *(process.popen.pid for process in processes)):
            for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                try:
                    ran, waited, _ = map(int, path.read_text().split())
                except OSError:
                    continue  # the thread has ended
                self._counts[pid, path.parent.name] = ran / 1e9, waited / 1e9


def _redis_of(stack: Stack | None) -> list[int]:
    """The process of a PrivateRedis, which may be frozen; none where it is another server."""
    if stack is None or not stack.redis_url.startswith("unix://"):
        return []
    noted = Path(stack.redis_url.removeprefix("unix://")).with_name("redis.pid")
    return [int(noted.read_text())] if noted.exists() else []
