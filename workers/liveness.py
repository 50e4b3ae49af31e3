"""Proofs that a worker lives and advances: the thread that keeps its lease, and the stall timer.

The thread proves that the process lives, the timer that the work moves. Neither knows what the
work is.
"""

from __future__ import annotations

import faulthandler
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from shared.errors import Cancelled, HandBack, LeaseLost, RedisAway
from shared.ledger.ledger import SWEEP_EVERY_S, Ledger
from shared.ledger.records import ItemJob, Lease

log = logging.getLogger(__name__)

RENEW_EVERY_S = 0.5  # a lease lives 9 s; this often because a stop must be heard within 1 s
STALL_S = 120.0
WIDE_STALL_S = 900.0  # a large model from a slow disk, or half a minute of speech through it
_ALMOST = 0.75  # of the term: no work that advances is so long without a checkpoint


class StallTimer:
    """Ends the process when nothing re-arms it: a hung native call cannot be stopped otherwise."""

    def __init__(self, stall_s: float = STALL_S, wide_s: float = WIDE_STALL_S) -> None:
        self._stall_s = stall_s
        self._wide_s = max(stall_s, wide_s)
        self._armed_at: float | None = None
        self._term_s = stall_s

    @property
    def is_running_out(self) -> bool:
        """Whether nothing has advanced for most of the term."""
        armed_at = self._armed_at
        return armed_at is not None and time.monotonic() - armed_at > _ALMOST * self._term_s

    def arm(self) -> None:
        """Note that the work has advanced. Cheap: re-arms at most ten times per period."""
        now = time.monotonic()
        if self._armed_at is None or now - self._armed_at > min(1.0, self._stall_s / 10):
            self._start(self._stall_s)

    def disarm(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        self._armed_at = None

    @contextmanager
    def wide(self) -> Iterator[None]:
        """Allow more time, for one step that may rightly take long without a checkpoint."""
        was_armed = self._armed_at is not None
        self._start(self._wide_s)
        try:
            yield
        finally:
            self.disarm()
            if was_armed:
                self.arm()

    def _start(self, term_s: float) -> None:
        faulthandler.dump_traceback_later(term_s, exit=True)
        self._term_s, self._armed_at = term_s, time.monotonic()


@dataclass
class Signals:
    """Signals to the running Item, which `checkpoint` turns into the right exception.

    And back: where its work is. Plain flags, not Events: one of them is set by a signal handler in
    the thread that reads it.
    """

    stop: bool = False
    lost: bool = False
    give_back: bool = False
    place: str = ""  # where the work is, "<number of the file> <words>"; "": no place in a file

    def raise_if_set(self) -> None:
        if self.lost:
            raise LeaseLost
        if self.stop:
            raise Cancelled
        if self.give_back:
            raise HandBack


class Keeper(threading.Thread):
    """Renews the lease in hand, sweeps dead workers' leases, and calls `beat` now and then.

    `burying` gives the names of workers that are known to have ended.
    """

    def __init__(
        self,
        ledger: Ledger,
        enqueue: Callable[[list[ItemJob]], None],
        beat: Callable[[], None],
        burying: Callable[[], AbstractContextManager[list[str]]],
        stall: StallTimer,
    ) -> None:
        super().__init__(name="keeper", daemon=True)
        self._ledger = ledger
        self._enqueue = enqueue
        self._beat = beat
        self._burying = burying
        self._stall = stall
        self._ended = threading.Event()
        self._has_news = False
        self._lock = threading.Lock()
        self._held: tuple[Lease, Signals] | None = None

    @contextmanager
    def holding(self, lease: Lease, signals: Signals) -> Iterator[None]:
        """Keep a lease for as long as the block runs."""
        with self._lock:
            self._held = (lease, signals)
        try:
            yield
        finally:
            with self._lock:
                self._held = None

    def run(self) -> None:
        next_sweep = time.monotonic()
        while not self._ended.wait(RENEW_EVERY_S):
            try:
                self._renew()
                if self._has_news:
                    self._has_news = False
                    self._beat()
                if time.monotonic() >= next_sweep:
                    next_sweep = time.monotonic() + SWEEP_EVERY_S
                    self._beat()
                    with self._burying() as ended:
                        self._enqueue(self._ledger.sweep(ended))
            except RedisAway as error:
                log.debug("Redis is away, the work goes on: %s", error)
            except Exception:
                # Without this thread every lease of this worker would expire.
                log.exception("The keeper met an error and goes on")

    def tell(self) -> None:
        """Have the next heartbeat soon: there is news in it."""
        self._has_news = True

    def end(self) -> None:
        self._ended.set()
        self.join(timeout=5)

    def _renew(self) -> None:
        with self._lock:
            held = self._held
        if held is None:
            return
        lease, signals = held
        stalls_at = signals.place if self._stall.is_running_out else ""
        verdict = self._ledger.renew(lease, stalls_at)
        if verdict == "lost":
            signals.lost = True
        elif verdict == "stop":
            signals.stop = True
        elif verdict == "yield":
            signals.give_back = True
