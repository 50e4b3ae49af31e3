"""The progress of one Item, as the ledger hears of it.

Progress is worth losing and the end of a file is not: ends wait here while Redis is away.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from contextlib import suppress

from opentelemetry.trace import get_current_span

from shared.domain import Fault, ProgressType, TaskState
from shared.errors import (
    CacheError,
    LeaseLost,
    MediaChanging,
    MediaError,
    MediaMissing,
    MediaSilent,
    MediaUnsupported,
    ModelError,
    NotAllowed,
    RedisAway,
    RushesError,
)
from shared.ledger.ledger import Ledger, WorkKind
from shared.ledger.records import Lease

PROGRESS_EVERY_S = 0.3
_AWAY_PAUSE_S = 5.0  # a report to a Redis that is away takes up to 3 s, in which the work stands

# The first that fits.
_FAULTS: tuple[tuple[type[Exception], Fault], ...] = (
    (MediaChanging, Fault.CHANGING),
    (MediaMissing, Fault.MISSING),
    (MediaUnsupported, Fault.UNSUPPORTED),
    (MediaSilent, Fault.NOTHING),
    (MediaError, Fault.FILE),
    (NotAllowed, Fault.FILE),
    (CacheError, Fault.CACHE),
    (ModelError, Fault.MODEL),
)


class ItemProgress:
    """Reports, throttled, and ends of files, kept until Redis takes them. For the Item's thread."""

    def __init__(self, ledger: Ledger, lease: Lease) -> None:
        self._ledger = ledger
        self._lease = lease
        self._reported_at = float("-inf")
        # The newest report of each kind, until its time has come.
        self._unsent: dict[ProgressType, Callable[[], object]] = {}
        self._ended_files: list[Callable[[], bool]] = []
        self._worked: dict[ProgressType, float] = {}  # seconds of the Item

    def report(
        self,
        kind: ProgressType,
        files_done: float,
        media_path: str,
        message: str = "",
        *,
        loading: bool = False,
    ) -> None:
        """Progress within the Item, in files. Throttled; dropped while Redis is away."""
        status = TaskState.LOADING_MODEL if loading else TaskState.RUNNING
        self._unsent[kind] = lambda: self._ledger.progress(
            self._lease,
            type=kind,
            fraction=files_done,
            media_path=media_path,
            message=message,
            status=status,
        )
        self.send_report(at_once=loading)

    def worked(self, kind: ProgressType, seconds: float) -> None:
        """`kind` was made of so many seconds of the Item's footage so far; told with reports."""
        self._worked[kind] = seconds

    def measured(self, kind: WorkKind, amount: float, seconds: float) -> None:
        """Tell how long such work took: for estimates alone, so a Redis that is away misses it."""
        with suppress(RedisAway):
            self._ledger.measured(kind.name, amount, seconds)

    def send_report(self, *, at_once: bool = False) -> None:
        """Send the newest reports if their time has come; for whoever waits and reports nothing."""
        now = time.monotonic()
        if not self._unsent or not (at_once or now - self._reported_at >= PROGRESS_EVERY_S):
            return
        unsent, self._unsent = self._unsent, {}
        self._reported_at = now
        try:
            for kind, send in unsent.items():
                self._tell_worked(kind)
                send()
        except RedisAway:
            self._reported_at = time.monotonic() + _AWAY_PAUSE_S

    def file_ended(
        self,
        kind: ProgressType,
        index: int,
        media_path: str,
        error: RushesError | None = None,
        *,
        skipped: bool = False,
    ) -> None:
        """One file has ended, well or by `error`. Kept until Redis takes it.

        `skipped`: what was wanted of it had been made before.
        """
        if error:
            get_current_span().record_exception(
                error, {"rushes.type": kind, "rushes.path": media_path}
            )
        self._unsent.pop(kind, None)
        self._ended_files.append(functools.partial(self._tell_worked, kind))
        self._ended_files.append(
            functools.partial(
                self._ledger.file_ended,
                self._lease,
                type=kind,
                index=index,
                media_path=media_path,
                error=error.message if error else None,
                fault=fault_of(error) if error else Fault.FILE,
                skipped=skipped,
            )
        )
        try:
            self.send_ended_files()
        except RedisAway:
            return

    def send_ended_files(self) -> None:
        """Send what is waiting, in order. Raises RedisAway and LeaseLost."""
        while self._ended_files:
            if not self._ended_files[0]():
                raise LeaseLost
            self._ended_files.pop(0)

    def _tell_worked(self, kind: ProgressType) -> bool:
        seconds = self._worked.get(kind)
        return seconds is None or self._ledger.worked(self._lease, kind, seconds)


def fault_of(error: Exception) -> Fault:
    """The Fault of an error; INTERNAL for what is no error of a file, a folder or a model."""
    return next((fault for kind, fault in _FAULTS if isinstance(error, kind)), Fault.INTERNAL)
