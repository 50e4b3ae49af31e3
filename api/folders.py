"""Work in folders that may hang, such as network shares: nobody else waits for one that does.

A call into a share whose server is gone does not come back, and its thread cannot be ended. So
every mount has threads of its own. What takes long is looked after: a look at the folder, in a
thread of its own, that does not come back either tells "hangs" from "is slow". Then everybody who
waits for that folder is told so, and who asks for it after that at once, until the look is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from pathlib import Path
from typing import NoReturn, ParamSpec, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from shared.errors import FolderHangs

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_LOOK_AFTER_S = 2.0  # a call that takes longer has its folder looked at
_HANGS_AFTER_S = 3.0  # a look that takes longer
_LOOK_AGAIN_S = 0.5
_CALLS_AT_ONCE = 64  # of requests in one mount
_READS_AT_ONCE = 16  # stats and small reads in one mount, which wait for a share, not for a core
_MOUNTS = Path("/proc/self/mountinfo")
_MOUNTS_KEPT_S = 1.0
_OCTAL = re.compile(r"\\([0-7]{3})")


class Folders:
    """The threads that go into folders, and what is known of folders that hang."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looks: dict[str, float] = {}  # place -> since when a look at it is out
        self._gates: dict[str, CapacityLimiter] = {}  # by mount, as are the readers
        self._readers: dict[str, ThreadPoolExecutor] = {}
        self._mounts = _Mounts()

    def close(self) -> None:
        """Waits for nobody: a thread in a folder that hangs ends with the process."""
        for reader in self._readers.values():
            reader.shutdown(wait=False, cancel_futures=True)

    async def run(self, folder: str, work: Callable[P, R], *args: P.args, **named: P.kwargs) -> R:
        """`work(*args)` in a thread that may go into `folder`. Raises FolderHangs.

        After that, and when the caller is cancelled, the work may still end, at some time.
        """
        self._check(folder)
        scope, loop = anyio.CancelScope(), asyncio.get_running_loop()
        timer: asyncio.TimerHandle

        def look_after() -> None:
            nonlocal timer
            if self.hangs(folder):
                scope.cancel()
                return
            self._look_at(folder)
            timer = loop.call_later(_LOOK_AGAIN_S, look_after)

        timer = loop.call_later(_LOOK_AFTER_S, look_after)
        gate = self._gates.setdefault(self._mounts.above(folder), CapacityLimiter(_CALLS_AT_ONCE))
        call = functools.partial(work, *args, **named)
        try:
            with scope:
                return await to_thread.run_sync(call, abandon_on_cancel=True, limiter=gate)
        finally:
            timer.cancel()
        raise FolderHangs.of(folder)

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
        within_s: float = float("inf"),
    ) -> list[R]:
        """`work` of each item, side by side; `otherwise` where a folder hangs or takes `within_s`.

        Blocks: never in the event loop.
        """
        found: dict[int, R] = {}
        is_over = threading.Event()

        def fill(part: list[int]) -> None:
            for n in part:
                if not is_over.is_set():
                    found[n] = work(items[n])

        parts = self._parts([folder_of(item) for item in items])
        waiting = {self._reader(mount).submit(fill, part): part for mount, part in parts}
        began = time.monotonic()
        try:
            while waiting:
                done, _ = wait(waiting, min(_LOOK_AGAIN_S, within_s))
                for future in done:
                    del waiting[future]
                    future.result()
                took = time.monotonic() - began
                for future, part in list(waiting.items()):
                    place = folder_of(items[next((n for n in part if n not in found), part[-1])])
                    if took > min(within_s, _LOOK_AFTER_S):
                        self._look_at(place)
                    if took > within_s or self.hangs(place):
                        future.cancel()
                        del waiting[future]
        finally:
            is_over.set()
        return [found[n] if n in found else otherwise(item) for n, item in enumerate(items)]

    def reader(self, folder: str) -> Executor:
        """Threads for small reads in a folder, of whose place no link is a part."""
        return self._reader(self._mounts.above(folder))

    def hangs(self, folder: str) -> bool:
        """Whether a look at it, or at what it lies in, has not come back."""
        if not self._looks:
            return False
        latest = time.monotonic() - _HANGS_AFTER_S
        with self._lock:
            return any(
                since < latest and _lies_in(folder, place) for place, since in self._looks.items()
            )

    def _check(self, folder: str) -> None:
        if self.hangs(folder):
            raise FolderHangs.of(folder)

    def _look_at(self, folder: str) -> None:
        """Look at it and at its mount, in threads, unless somebody is looking already."""
        for place in {self._mounts.above(folder), folder}:
            with self._lock:
                if place in self._looks:
                    continue
                self._looks[place] = time.monotonic()
            threading.Thread(target=self._look, args=(place,), name="look", daemon=True).start()

    def _look(self, place: str) -> None:
        try:
            with contextlib.suppress(OSError, ValueError):  # that is an answer too
                os.stat(place)
                os.statvfs(place)  # network file systems ask the server, whatever they remember
        finally:
            with self._lock:
                del self._looks[place]

    def _reader(self, mount: str) -> ThreadPoolExecutor:
        with self._lock:
            if mount not in self._readers:
                self._readers[mount] = ThreadPoolExecutor(_READS_AT_ONCE, "reader")
            return self._readers[mount]

    def _parts(self, folders: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
        """Mounts and indexes of folders there, a few at a time; without those that hang."""
        mounts: dict[str, str] = {}
        of_mount: dict[str, list[int]] = {}
        for n, folder in enumerate(folders):
            if folder not in mounts:
                mounts[folder] = "" if self.hangs(folder) else self._mounts.above(folder)
            of_mount.setdefault(mounts[folder], []).append(n)
        of_mount.pop("", None)
        for mount, numbers in of_mount.items():
            step = max(1, len(numbers) // (4 * _READS_AT_ONCE))
            for at in range(0, len(numbers), step):
                yield mount, numbers[at : at + step]


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
