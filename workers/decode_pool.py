"""Threads that decode media, room for what they have made, cores in use; one of each a process."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

from workers.media.ranges import RANGE_S
from workers.models.turns import Turns


class Cores:
    """As many threads as may be at work. The Items of one process share it.

    Counted are those that decode and those of Items that work themselves; one that waits is none.
    """

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


_MB = 1 << 20
_ROOM = 32 * _MB
_LEAST_RANGE_S = 4
_ROOM_A_THREAD = 16 * _MB  # a minute of 300 kB a picture
_STILLS_A_THREAD = 128 * _MB  # one of 45 million pixels
_LOOK_EVERY_S = 0.1


class DecodePool:
    """The decode threads of a process, which all its Items share."""

    def __init__(self, threads: int, range_s: int = RANGE_S) -> None:
        """`range_s`: seconds of a long film that one thread decodes before it takes others."""
        self.threads = threads
        self._range_s = range_s
        self.room = Room(_ROOM + _ROOM_A_THREAD * threads)
        self.stills = Room(_STILLS_A_THREAD * threads)  # while they are decoded
        self._executor = ThreadPoolExecutor(threads, "decode")

    def plan(self, film_s: int) -> list[int]:
        """Where ranges of a film begin after the first; none where one thread decodes it all.

        The last ones are shorter, so that all threads end together (guided self-scheduling;
        Polychronopoulos and Kuck, 1987).
        """
        if self.threads == 1 or film_s < self._range_s:
            return []
        beginnings = [0]
        least = min(_LEAST_RANGE_S, self._range_s)
        while (left := film_s - beginnings[-1]) >= 2 * least:
            fair = left // (2 * self.threads)
            beginnings.append(beginnings[-1] + min(self._range_s, max(least, fair)))
        return beginnings[1:]

    def submit(self, function: Callable[[], None], cores: CoresOfItem) -> Future[None]:
        """Run a function in a decode thread, in turn; its log names the Task.

        Until it has ended it counts as a thread at work for its Item.
        """
        with ExitStack() as work:
            work.enter_context(cores.busy())
            future = self._executor.submit(contextvars.copy_context().run, function)
            has_ended = work.pop_all().close
        future.add_done_callback(lambda _: has_ended())
        return future

    def close(self) -> None:
        """No more is submitted; what runs ends by itself."""
        self._executor.shutdown(wait=False, cancel_futures=True)


class Room:
    """Memory for what was decoded and waits to be used. Decoders wait for it, so it is bounded."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._changed = threading.Condition()
        self._line = Turns()  # of those for whom nobody waits
        self._given = 0  # how often somebody gave bytes back

    @property
    def taken(self) -> int:
        return self._taken

    def take(
        self,
        size: int,
        need_not_wait: Callable[[], bool],
        checkpoint: Callable[[], None],
        resting: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Wait until less than the limit is taken, then take `size` bytes more.

        `need_not_wait` is for what others wait for: it must go on, or nobody would. `checkpoint`
        is called while it waits, in a block of `resting`; what it raises ends that.
        """
        if not self._took(size, need_not_wait):
            with resting():
                while not self._took(size, need_not_wait):
                    with self._changed:
                        self._changed.wait(_LOOK_EVERY_S)
                    checkpoint()

    @contextmanager
    def holding(
        self,
        size: int,
        checkpoint: Callable[[], None],
        resting: Callable[[], AbstractContextManager[None]],
        has_advanced: Callable[[], None] = lambda: None,
    ) -> Iterator[None]:
        """Have so much room in the block; 0 needs none.

        Who came first has it first. `has_advanced` is called while others give theirs back: who
        waits for one that hangs is not told so.
        """
        if not size:
            yield
            return
        self._take_in_turn(size, checkpoint, resting, has_advanced)
        try:
            yield
        finally:
            self.give(size)

    def _take_in_turn(
        self,
        size: int,
        checkpoint: Callable[[], None],
        resting: Callable[[], AbstractContextManager[None]],
        has_advanced: Callable[[], None],
    ) -> None:
        given = self._given

        def look() -> None:
            nonlocal given
            if given != self._given:
                given = self._given
                has_advanced()
            checkpoint()

        turn = self._line.join()
        try:
            if not turn.is_set():
                with resting():
                    while not turn.wait(_LOOK_EVERY_S):
                        look()
            self.take(size, lambda: False, look, resting)
        finally:
            self._line.leave(turn)

    def _took(self, size: int, need_not_wait: Callable[[], bool]) -> bool:
        with self._changed:
            has_room = self._taken < self._limit or need_not_wait()
            self._taken += size if has_room else 0
            return has_room

    def give(self, size: int) -> None:
        with self._changed:
            self._taken -= size
            self._given += 1
            self._changed.notify_all()
