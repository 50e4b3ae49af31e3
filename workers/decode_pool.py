"""Threads that decode media, and the room for what they have made; one of each a process."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

from workers.cores import CoresOfItem
from workers.media.ranges import RANGE_S
from workers.models.turns import Turns

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
