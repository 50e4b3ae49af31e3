"""Work in folders that may hang, such as network shares: nobody else waits for one that does.

A call into a share whose server is gone does not come back, and its thread cannot be ended. So
nobody waits for the thread of another. What takes long is looked after: a look at the folder, in a
thread of its own, that does not come back either tells "hangs" from "is slow". Then everybody who
waits for that folder is told so, and who asks for it after that at once, until the look is back.
A path goes where its links lead, which nobody can ask without going there: so the look goes from
the top down, to learn where "hangs" begins, and every mount has a bound on the threads inside.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from concurrent.futures import FIRST_EXCEPTION, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn, ParamSpec, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from shared.errors import FolderHangs

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_QUICK_S = 0.002  # in which one thread does a batch alone: waking more costs about as much
_LOOK_AFTER_S = 2.0  # a call that takes longer has its folder looked at
_HANGS_AFTER_S = 3.0  # a look that takes longer
_LOOK_AGAIN_S = 0.5
_CALLS_AT_ONCE = 64  # of requests in one mount
_READS_AT_ONCE = 16  # stats and small reads of one batch, which wait for a share, not for a core
_READERS = 128  # threads in one mount, from which on a batch has one only
_MOST_INSIDE = 512  # threads in one mount: so many are there only where many places of it hang
_MOST_THREADS = 1 << 16
_MOUNTS = Path("/proc/self/mountinfo")
_MOUNTS_KEPT_S = 1.0
_OCTAL = re.compile(r"\\([0-7]{3})")
_ALONE_S = 0.002  # for all together; threads that take turns cost about as much


class Folders:
    """The threads that go into folders, and what is known of folders that hang."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looks: dict[str, float] = {}  # place -> since when a look at it is out
        self._entrances: dict[str, _Entrance] = {}  # by mount, as are the readers
        self._readers: dict[str, ThreadPoolExecutor] = {}
        self._mounts = _Mounts()
        # One that is idle is used again; whatever number of them hangs, others need not wait.
        self._threads = ThreadPoolExecutor(_MOST_THREADS, "reader")

    def close(self) -> None:
        """Waits for nobody: a thread in a folder that hangs ends with the process."""
        for reader in (self._threads, *self._readers.values()):
            reader.shutdown(wait=False, cancel_futures=True)

    async def run(self, folder: str, work: Callable[P, R], *args: P.args, **named: P.kwargs) -> R:
        """`work(*args)` in a thread that may go into `folder`. Raises FolderHangs.

        After that, and when the caller is cancelled, the work may still end, at some time.
        """
        self._check(folder)
        scope, loop = anyio.CancelScope(), asyncio.get_running_loop()
        entrance = self._entrance(folder)
        timer: asyncio.TimerHandle

        def look_after() -> None:
            nonlocal timer
            if self.hangs(folder):
                scope.cancel()
                return
            self._look_at(folder)
            timer = loop.call_later(_LOOK_AGAIN_S, look_after)

        def go_in() -> R:
            self._check(folder)  # again: it may have waited for its turn
            if not entrance.enter():
                raise FolderHangs.of(folder)
            try:
                return work(*args, **named)
            finally:
                entrance.leave()

        timer = loop.call_later(_LOOK_AFTER_S, look_after)
        try:
            with scope:
                return await to_thread.run_sync(
                    go_in, abandon_on_cancel=True, limiter=entrance.gate
                )
        finally:
            timer.cancel()
        raise FolderHangs.of(folder)

    def let_go(self, work: Callable[[], None]) -> None:
        """Begin what need not be waited for, such as to close a file; it must raise nothing."""
        self._threads.submit(work)

    def call(self, folder: str, work: Callable[[], R]) -> R:
        """As `run`, for work that is in the thread of another folder. Raises FolderHangs."""

        def raise_it(_: None) -> NoReturn:
            raise FolderHangs.of(folder)

        return self.each([None], lambda _: work(), lambda _: folder, raise_it)[0]

    def each(
        self,
        items: Sequence[T],
        work: Callable[[T], R],
        folder_of: Callable[[T], str],
        otherwise: Callable[[T], R],
        patience_s: float = float("inf"),  # without any item that is done
        within_s: float = float("inf"),
    ) -> list[R]:
        """`work` of each item, side by side; `otherwise` where a folder hangs or takes too long.

        Blocks: never in the event loop.
        """
        found: dict[int, R] = {}
        is_over = False

        def read(part: _Part) -> None:
            try:
                for n in part.left:
                    if is_over:
                        return
                    part.place = folder_of(items[n])
                    if not self.hangs(part.place, patience_s):
                        found[n] = work(items[n])
            finally:
                part.entrance.leave()

        def start(part: _Part) -> Future[None]:
            return self._threads.submit(read, part)

        parts = self._parts([folder_of(item) for item in items])
        try:
            reading = {start(part): part for part in itertools.islice(parts, 1)}
            wait(reading, min(_QUICK_S, patience_s))
            if len(found) < len(items):
                reading |= {start(part): part for part in parts}
            self._wait_for(reading, start, found, patience_s, within_s)
        finally:
            is_over = patience_s == float("inf")  # else it is found out: soon others ask
        return [found[n] if n in found else otherwise(item) for n, item in enumerate(items)]

    def _wait_for(
        self,
        reading: dict[Future[None], _Part],
        start: Callable[[_Part], Future[None]],
        found: Sized,
        patience_s: float,
        within_s: float,
    ) -> None:
        """Until each thread has ended or hangs; what one that hangs has left, another does."""
        began = moved = time.monotonic()
        count = len(found)
        while reading:
            done, _ = wait(reading, min(_LOOK_AGAIN_S, patience_s), FIRST_EXCEPTION)
            for future in done:
                del reading[future]
                future.result()
            now = time.monotonic()
            if len(found) > count:
                count, moved = len(found), now
            is_over = now - moved > patience_s or now - began > within_s
            is_slow = is_over or now - began > _LOOK_AFTER_S
            stuck = [f for f, part in reading.items() if self._is_stuck(part.place, is_slow)]
            if is_over:
                return
            for part in map(reading.pop, stuck):
                if part.entrance.enter():
                    again = replace(part, place="/")
                    reading[start(again)] = again

    def reader(self, folder: str) -> Executor:
        """Threads for small reads in a folder that has been opened, by where it really lies.

        Nobody looks after them: whoever waits for them is in `run` for that folder.
        """
        mount = self._mounts.above(os.path.realpath(folder))
        with self._lock:
            if mount not in self._readers:
                self._readers[mount] = ThreadPoolExecutor(_READS_AT_ONCE, "reader")
            return self._readers[mount]

    def hangs(self, folder: str, after_s: float = _HANGS_AFTER_S) -> bool:
        """Whether a look at it, or at what it lies in, has not come back for so long."""
        if not self._looks:
            return False
        latest = time.monotonic() - min(after_s, _HANGS_AFTER_S)
        with self._lock:
            return any(
                since < latest and _lies_in(folder, place) for place, since in self._looks.items()
            )

    def _check(self, folder: str) -> None:
        if self.hangs(folder):
            raise FolderHangs.of(folder)

    def _is_stuck(self, place: str, is_slow: bool) -> bool:
        if is_slow:
            self._look_at(place)
        return self.hangs(place)

    def _is_looked_at(self, folder: str) -> bool:
        return any(_lies_in(folder, place) for place in self._looks)

    def _look_at(self, folder: str) -> None:
        """Look at it, in a thread, unless somebody is looking at something that it lies in."""
        with self._lock:
            if self._is_looked_at(folder):
                return
        threading.Thread(target=self._look, args=(folder,), name="look", daemon=True).start()

    def _look(self, folder: str) -> None:
        """From the top down, so that it stays where "hangs" begins."""
        top, *below = [*map(str, Path(folder).parents[-2::-1]), folder]
        with self._lock:
            if self._is_looked_at(folder):
                return
            self._looks[top] = time.monotonic()
        _ask(top)
        for place in below:
            with self._lock:
                del self._looks[top]
                if place in self._looks:
                    return
                self._looks[place] = time.monotonic()
            top = place
            _ask(place)
        with self._lock:
            del self._looks[top]

    def _entrance(self, folder: str) -> _Entrance:
        place = self._mounts.above(folder)
        with self._lock:
            return self._entrances.setdefault(place, _Entrance())

    def _parts(self, folders: Sequence[str]) -> Iterator[_Part]:
        """For each thread what is to do, by mount; none where no more may go in."""
        mounts = {folder: self._mounts.above(folder) for folder in set(folders)}
        of_mount: dict[str, list[int]] = {}
        for n, folder in enumerate(folders):
            of_mount.setdefault(mounts[folder], []).append(n)
        for numbers in of_mount.values():
            place = folders[numbers[0]]
            entrance, left = self._entrance(place), iter(numbers)
            for n in range(min(len(numbers), _READS_AT_ONCE)):
                if entrance.enter(_READERS if n else _MOST_INSIDE):
                    yield _Part(entrance, left, place)


@dataclass(eq=False)
class _Entrance:
    """Into one mount: who is in it, those who hang in it or behind a link there among them."""

    gate: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_CALLS_AT_ONCE))
    _inside: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, most: int = _MOST_INSIDE) -> bool:
        """Whether one more may go in, who then is in it until `leave`."""
        with self._lock:
            if self._inside >= most:
                return False
            self._inside += 1
            return True

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1


@dataclass(eq=False)
class _Part:
    """What a thread that has entered a mount does of a batch."""

    entrance: _Entrance
    left: Iterator[int]  # which all threads of the batch there share
    place: str  # where it is


def _ask(place: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # that is an answer too
        os.stat(place)
        os.statvfs(place)  # network file systems ask the server, whatever they remember


class _Mounts:
    """What is mounted where, as the system says; no disk is touched, since that may hang."""

    def __init__(self) -> None:
        self._read_at = float("-inf")
        self._places: list[str] = []

    def above(self, path: str) -> str:
        """The mount in which a path lies, before links are followed.

        Where the system has no list of mounts, the first two names stand for it.
        """
        if time.monotonic() - self._read_at > _MOUNTS_KEPT_S:
            self._places, self._read_at = sorted(_mounts(), key=len, reverse=True), time.monotonic()
        if not self._places:
            return "/".join(path.split("/")[:3])
        return next((place for place in self._places if _lies_in(path, place)), "/")


def _mounts() -> list[str]:
    try:
        lines = os.fsdecode(_MOUNTS.read_bytes()).splitlines()
    except FileNotFoundError:
        return []
    return [_OCTAL.sub(lambda found: chr(int(found[1], 8)), line.split()[4]) for line in lines]


def _lies_in(path: str, place: str) -> bool:
    return path == place or path.startswith(place.rstrip("/") + "/")


def quick_map(pool: Executor, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """`work` of each item, in order. For work that may wait for a share, as its caller may, too."""
    rest = iter(items)
    done: list[R] = []
    until = time.perf_counter() + _ALONE_S
    for item in rest:
        done.append(work(item))
        if time.perf_counter() > until:
            done.extend(pool.map(work, rest))
    return done
