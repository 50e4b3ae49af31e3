"""What a fetch says, in lines of JSON, to the process that started it."""

from __future__ import annotations

import threading

import msgspec


class PullLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line: words for people, the size of it all, or how much of a part has arrived."""

    words: str = ""
    total_bytes: int | None = None
    part: str = ""
    bytes: int = 0


class JsonReport:
    """Writes PullLines on standard output; a shared.models.download_progress.CountedReport."""

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
