"""Measure how long something takes, independent of what else the machine computes meanwhile."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from pathlib import Path

from tests.support.stack import Stack


class Stopwatch:
    """Seconds since its start, less the time in which the processes waited for a processor.

    The processes are those of `stack`, those of `pids` and the test's own. The kernel counts for
    each thread how long it was ready to run and had no processor. Of each process the thread that
    waited longest counts; one that has ended counts as when `seconds` was last called. On an idle
    machine this is the time on the wall.
    """

    def __init__(self, stack: Stack | None = None, *pids: int) -> None:
        self._stack, self._pids = stack, (os.getpid(), *pids)
        self._waits: dict[tuple[int, str], float] = {}
        self._read_waits()
        self._waits_before = self._waits.copy()
        self._began = time.monotonic()

    def seconds(self) -> float:
        wall = time.monotonic() - self._began
        self._read_waits()
        longest: defaultdict[int, float] = defaultdict(float)
        for (pid, thread), wait in self._waits.items():
            waited = wait - self._waits_before.get((pid, thread), 0.0)
            longest[pid] = max(longest[pid], waited)
        return wall - sum(longest.values())

    def _read_waits(self) -> None:
        """Read how many seconds each thread has waited for a processor since it began."""
        processes = self._stack.processes.values() if self._stack else ()
        for pid in (*self._pids, *(process.popen.pid for process in processes)):
            for counts in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                try:
                    self._waits[pid, counts.parent.name] = int(counts.read_text().split()[1]) / 1e9
                except OSError:
                    continue  # the thread has ended
