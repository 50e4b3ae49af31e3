"""What keeps a folder from work that cannot succeed: something around its files must be mended."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

_FIRST_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 30.0


class BreakerState(Enum):
    """CLOSED: files are worked on. OPEN: none is, for a while. HALF_OPEN: that while is over, and
    what is tried next shows whether it is mended."""

    CLOSED = auto()
    OPEN = auto()
    HALF_OPEN = auto()


@dataclass(frozen=True, slots=True)
class _Trip:
    reason: str
    until: float
    pause_s: float
    one_file_first: bool


class CircuitBreaker:
    """Changed by the folder's thread alone; the main thread may read it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._trip: _Trip | None = None

    @property
    def state(self) -> BreakerState:
        trip = self._trip  # read once: it may be replaced meanwhile
        if trip is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self.clock() < trip.until else BreakerState.HALF_OPEN

    @property
    def is_open(self) -> bool:
        return self.state is BreakerState.OPEN

    @property
    def reason(self) -> str:
        """What must be mended; "" where nothing is known to hinder."""
        trip = self._trip
        return trip.reason if trip else ""

    @property
    def one_file_first(self) -> bool:
        """Whether a single file is tried before all others have their turn."""
        trip = self._trip
        return trip is not None and trip.one_file_first

    def trip(self, reason: str, *, one_file_first: bool) -> bool:
        """To OPEN, for longer each time. False: it is, many files have met the same."""
        if self.is_open:
            return False
        last = self._trip
        pause_s = min(last.pause_s * 2, _LONGEST_PAUSE_S) if last else _FIRST_PAUSE_S
        one_file_first = one_file_first or self.one_file_first
        self._trip = _Trip(reason, self.clock() + pause_s, pause_s, one_file_first)
        return True

    def succeed(self) -> None:
        """HALF_OPEN to CLOSED. What succeeds while it is OPEN was done before."""
        if not self.is_open:
            self._trip = None

    def reset(self) -> None:
        """To CLOSED at once: somebody says that it is mended."""
        self._trip = None
