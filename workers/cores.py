"""The cores of a worker process: what its Items use of them, and whether there is room for another.

Counted are threads at work, those that decode and those of Items that work themselves; a thread
that waits is none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Cores:
    """As many threads as may be at work. The Items of one process share it."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._changed = threading.Condition()
        self._items: list[CoresOfItem] = []
        self._shared_s = 0.0  # that one Item has had, of all time until `_since`
        self._since = time.monotonic()

    def shared_s(self) -> float:
        """A clock of what an Item has of the process: slower by as many as are in hand."""
        with self._changed:
            self._tick()
            return self._shared_s

    @property
    def has_room(self) -> bool:
        """Whether fewer threads are at work than may be."""
        with self._changed:
            return self._is_free(of_all=False)

    @property
    def is_unused(self) -> bool:
        """Whether no Item is in hand."""
        with self._changed:
            return self._is_free(of_all=True)

    def wait_for_room(self, within_s: float, *, of_all: bool) -> bool:
        """Whether there is room within this time; `of_all`: whether no Item is in hand any more."""
        with self._changed:
            return self._changed.wait_for(lambda: self._is_free(of_all), within_s)

    def enter(self, *, alone: bool = False) -> CoresOfItem:
        """Count an Item until it leaves; `alone`: no other has room beside it."""
        with self._changed:
            self._tick()
            item = CoresOfItem(self._changed, self.threads, self.shared_s, alone=alone)
            self._items.append(item)
            return item

    def leave(self, item: CoresOfItem) -> None:
        with self._changed:
            self._tick()
            self._items.remove(item)
            self._changed.notify_all()

    def _tick(self) -> None:
        now = time.monotonic()
        self._shared_s += (now - self._since) / max(1, len(self._items))
        self._since = now

    def _is_free(self, of_all: bool) -> bool:
        return sum(item.count for item in self._items) < (1 if of_all else self.threads)


class CoresOfItem:
    """What one Item uses of the cores. Any thread that works for it may say so.

    Until the first has it counts as all of them: nobody knows yet what a long film will take.
    """

    def __init__(
        self,
        changed: threading.Condition,
        threads: int,
        shared_s: Callable[[], float],
        *,
        alone: bool,
    ) -> None:
        """`shared_s`: a clock of what an Item has of the process."""
        self.shared_s = shared_s
        self._changed = changed
        self._threads = threads
        self._alone = alone
        self._is_known = False
        self._at_work = 0

    @property
    def count(self) -> int:
        """Threads, one at the least."""
        if self._alone or not self._is_known:
            return self._threads
        return max(1, self._at_work)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """A thread works for the Item in the block, or is about to: of work that is queued, too."""
        self._add(1)
        try:
            yield
        finally:
            self._add(-1)

    @contextmanager
    def resting(self) -> Iterator[None]:
        """A thread that is busy for the Item only waits in the block."""
        self._add(-1)
        try:
            yield
        finally:
            self._add(1)

    def _add(self, threads: int) -> None:
        with self._changed:
            self._at_work += threads
            self._is_known = True
            self._changed.notify_all()
