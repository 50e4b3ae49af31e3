"""Says how far a download has come, in a few lines, by the bytes that have arrived in a folder.

pip and the hub's library each tell it in their own way, and only to a terminal.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from shared.process.periodic import Periodic

Report = Callable[[str], None]
_EVERY_S = 1.0
_MEGABYTE = 1_000_000
_STEPS = 10  # lines of a whole download; where its size is not known, a line each 100 MB
_AT_LEAST_EVERY_S = 60.0
_BLOCK = 512  # of st_blocks, whatever the file system's are


class PullLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line: words for people, the size of it all, or how much of a part has arrived."""

    words: str = ""
    total_bytes: int | None = None
    part: str = ""
    bytes: int = 0


class JsonReport:
    """Writes PullLines on standard output, for the process that started this one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # progress is told by a thread of its own

    def __call__(self, line: str) -> None:
        self._write(PullLine(words=line))

    def arrived(self, what: str, count: int) -> None:
        self._write(PullLine(part=what, bytes=count))

    def total(self, size_bytes: int | None) -> None:
        """Tell what is to be downloaded in all; None: that is not known."""
        self._write(PullLine(total_bytes=size_bytes))

    def _write(self, line: PullLine) -> None:
        with self._lock:
            print(msgspec.json.encode(line).decode(), flush=True)


@contextlib.contextmanager
def progress(
    what: str, folder: Path, size_bytes: float | None, report: Report, every_s: float = _EVERY_S
) -> Iterator[None]:
    """Report what has arrived in `folder` while the block runs: each tenth, and each minute.

    The folder is this download's own: what an earlier try has left there counts.
    """
    told = _Arrived(what, folder, size_bytes)

    def look() -> None:
        count = told.count()
        if isinstance(report, JsonReport):
            report.arrived(what, count)
        if line := told.line(count):
            report(line)

    thread = Periodic("download-progress", look, every_s, begins_at_once=False)
    thread.start()
    try:
        yield
    finally:
        thread.end()
        look()  # what has come since the last time


@dataclass
class _Arrived:
    what: str
    folder: Path
    size_bytes: float | None
    told_bytes: int = 0
    told_at: float = field(default_factory=time.monotonic)

    def count(self) -> int:
        arrived = _bytes_in(self.folder)
        if self.size_bytes:  # pip copies it when it is there
            arrived = min(arrived, round(self.size_bytes))
        return arrived

    def line(self, arrived: int) -> str:
        """What has arrived, when there is enough news since the last line; else ""."""
        step = self.size_bytes / _STEPS if self.size_bytes else 100 * _MEGABYTE
        is_further = arrived // step > self.told_bytes // step
        is_late = time.monotonic() - self.told_at > _AT_LEAST_EVERY_S
        if arrived <= self.told_bytes or not (is_further or is_late):
            return ""
        self.told_bytes, self.told_at = arrived, time.monotonic()
        megabytes = f"{arrived / _MEGABYTE:,.0f}"
        if not self.size_bytes:
            return f"{self.what}: {megabytes} MB"
        percent = 100 * arrived / self.size_bytes
        return (
            f"{self.what}: {megabytes} of {self.size_bytes / _MEGABYTE:,.0f} MB ({percent:.0f} %)"
        )


def _bytes_in(folder: Path) -> int:
    """Bytes of all files below a folder; links, which the hub's cache is full of, are none."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # moved to its place meanwhile
                total += _arrived_bytes(os.lstat(os.path.join(root, name)), name)
    return total


def _arrived_bytes(stat: os.stat_result, name: str) -> int:
    """What is there of a file. One that the hub's library is writing may have holes."""
    if name.endswith(".incomplete"):
        return min(stat.st_size, stat.st_blocks * _BLOCK)
    return stat.st_size
