"""Proofs that a worker lives and advances, and its end: leases, stall timers, shutdown.

A thread that keeps the leases proves that the process lives, stall timers that the work moves.
Neither knows what the work is. Waiting heeds the shutdown: for a moment, or for Redis.
"""

from __future__ import annotations

import faulthandler
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from shared.errors import Cancelled, HandBack, LeaseLost, MediaUnreadable, RedisAway
from shared.ledger.ledger import SWEEP_EVERY_S, Ledger
from shared.ledger.records import ItemJob, Lease
from shared.process.periodic import Periodic

log = logging.getLogger(__name__)

RENEW_EVERY_S = 0.5  # a lease lives 9 s; this often because a stop must be heard within 1 s
STALL_S = 120.0
WIDE_STALL_S = 900.0  # a large model from a slow disk, or half a minute of speech through it
_ALMOST = 0.75  # of the term: no work that advances is so long without a checkpoint
_AT_ONCE_S = 0.001  # faulthandler takes no term of 0


class _ProcessTimer:
    """faulthandler's one timer of this process, armed to the earliest end of all StallTimers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: dict[StallTimer, float] = {}
        self._ends_at: float | None = None

    def set(self, timer: StallTimer, ends_at: float | None) -> None:
        """Note when a StallTimer runs out; None: not until it is armed again."""
        with self._lock:
            self._ends.pop(timer, None)
            if ends_at is not None:
                self._ends[timer] = ends_at
            before, self._ends_at = self._ends_at, min(self._ends.values(), default=None)
            if self._ends_at is None:
                faulthandler.cancel_dump_traceback_later()
            elif self._ends_at != before:
                left_s = self._ends_at - time.monotonic()
                faulthandler.dump_traceback_later(max(left_s, _AT_ONCE_S), exit=True)


_process_timer = _ProcessTimer()


class StallTimer:
    """Ends the process when nothing re-arms it: a hung native call cannot be stopped otherwise.

    One for each Item, whose threads share it: one that advances hides no other.
    """

    def __init__(self, stall_s: float = STALL_S, wide_s: float = WIDE_STALL_S) -> None:
        self._stall_s = stall_s
        self._wide_s = max(stall_s, wide_s)
        self._lock = threading.Lock()
        self._armed: tuple[float, float] | None = None  # when, and for how many seconds
        self._is_wide = False

    def another(self) -> StallTimer:
        """A timer with the terms of this one."""
        return StallTimer(self._stall_s, self._wide_s)

    @property
    def is_running_out(self) -> bool:
        """Whether nothing has advanced for most of the term."""
        if (armed := self._armed) is None:
            return False
        at, term_s = armed
        return time.monotonic() - at > _ALMOST * term_s

    def arm(self) -> None:
        """Note that the work has advanced. Cheap: re-arms at most ten times per period."""
        armed = self._armed
        if armed and time.monotonic() - armed[0] <= min(1.0, self._stall_s / 10):
            return
        with self._lock:
            if not self._is_wide:
                self._set(self._stall_s)

    def disarm(self) -> None:
        with self._lock:
            self._set(None)

    @contextmanager
    def wide(self) -> Iterator[None]:
        """Allow more time, for one step that may rightly take long without a checkpoint."""
        with self._lock:
            after = self._stall_s if self._armed else None
            self._is_wide = True
            self._set(self._wide_s)
        try:
            yield
        finally:
            with self._lock:
                self._is_wide = False
                self._set(after)

    def _set(self, term_s: float | None) -> None:
        now = time.monotonic()
        self._armed = None if term_s is None else (now, term_s)
        _process_timer.set(self, None if term_s is None else now + term_s)


@dataclass
class Signals:
    """Signals to the running Item, which `raise_if_set` turns into the right exception.

    And back: where its work is. Plain flags, not Events: one of them is set by a signal handler.
    """

    stop: bool = False
    lost: bool = False
    give_back: bool = False
    file_until: float | None = None  # when all work on the file in hand must have ended
    place: str = ""  # where the work is, "<number of the file> <words>"; "": no place in a file

    def raise_if_set(self) -> None:
        """Called wherever the work advances, by `Context.checkpoint`, and where it waits."""
        if self.lost:
            raise LeaseLost
        if self.stop:
            raise Cancelled
        if self.give_back:
            raise HandBack
        if self.file_until is not None and time.monotonic() > self.file_until:
            raise MediaUnreadable("The work on it takes longer than on any file of its size.")


class _Kept(NamedTuple):
    lease: Lease
    signals: Signals
    stall: StallTimer


class Keeper:
    """Renews the leases in hand, sweeps dead workers' leases, and calls `beat` now and then.

    `burying` gives the names of workers that are known to have ended.
    """

    def __init__(
        self,
        ledger: Ledger,
        enqueue: Callable[[list[ItemJob]], None],
        beat: Callable[[], None],
        burying: Callable[[], AbstractContextManager[list[str]]],
    ) -> None:
        self._ledger = ledger
        self._enqueue = enqueue
        self._beat = beat
        self._burying = burying
        # It goes on whatever happens: without it every lease of this worker would expire.
        self._thread = Periodic("keeper", self._look, RENEW_EVERY_S, begins_at_once=False)
        self._sweeps_at = time.monotonic()
        self._has_news = False
        self._lock = threading.Lock()
        self._kept: list[_Kept] = []

    @contextmanager
    def holding(self, lease: Lease, signals: Signals, stall: StallTimer) -> Iterator[None]:
        """Keep a lease for as long as the block runs. `stall` tells whether its work advances."""
        kept = _Kept(lease, signals, stall)
        with self._lock:
            self._kept.append(kept)
        try:
            yield
        finally:
            with self._lock:
                self._kept.remove(kept)

    def start(self) -> None:
        self._thread.start()

    def _look(self) -> None:
        self._renew()
        if self._has_news:
            self._has_news = False
            self._beat()
        if time.monotonic() >= self._sweeps_at:
            self._sweeps_at = time.monotonic() + SWEEP_EVERY_S
            self._beat()
            with self._burying() as ended:
                self._enqueue(self._ledger.sweep(ended))

    def tell(self) -> None:
        """Have the next heartbeat soon: there is news in it."""
        self._has_news = True

    def end(self) -> None:
        self._thread.end(wait_s=5)

    def _renew(self) -> None:
        with self._lock:
            kept = tuple(self._kept)
        for lease, signals, stall in kept:
            stalls_at = signals.place if stall.is_running_out else ""
            verdict = self._ledger.renew(lease, stalls_at)
            if verdict == "lost":
                signals.lost = True
            elif verdict == "stop":
                signals.stop = True
            elif verdict == "yield":
                signals.give_back = True


class RedisOutage:
    """Logs an outage of Redis once, however often it is met."""

    def __init__(self) -> None:
        self._is_on = False

    def begin(self, why: object) -> None:
        """Note that Redis does not answer; a warning the first time only."""
        if not self._is_on:
            self._is_on = True
            log.warning("Redis is away, trying again: %s", why)

    def end(self) -> None:
        if self._is_on:
            self._is_on = False
            log.warning("Redis answers again")


T = TypeVar("T")

NAP_STEP_S = 0.2
LONGEST_PAUSE_S = 2.0
_LAST_WORDS_S = 5.0  # how long a worker that is shutting down waits for Redis to take its outcome


def end_on_signals(shut_down: Callable[[], object]) -> None:
    """Have SIGTERM and SIGINT end the process by `shut_down` from now on. Main thread only."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: shut_down())


class Shutdown:
    """Whether the process is to end. All its threads share it; a signal handler sets it."""

    def __init__(self) -> None:
        self.is_on = False

    def nap(self, seconds: float) -> None:
        """Pause, but not past a shutdown."""
        until = time.monotonic() + seconds
        while not self.is_on and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, NAP_STEP_S))

    def until_redis(self, action: Callable[[], T]) -> T | None:
        """Repeat an action until Redis takes it; gives up only while shutting down."""
        pause_s = NAP_STEP_S
        gives_up_at: float | None = None
        while True:
            try:
                return action()
            except RedisAway as error:
                if self.is_on:
                    gives_up_at = gives_up_at or time.monotonic() + _LAST_WORDS_S
                    if time.monotonic() > gives_up_at:
                        log.warning("Redis did not come back in time: %s", error)
                        return None
                time.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
