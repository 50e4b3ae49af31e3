"""What keeps a folder from work that cannot succeed: something around its files must be mended."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

_FIRST_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class _Trip:
    reason: str
    until: float
    pause_s: float
    one_file_first: bool


class CircuitBreaker:
    """Open for a while after each trip; what is tried then shows whether the cause is mended.

    The folder's thread alone changes it; the main thread may read it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._trip: _Trip | None = None

    @property
    def is_open(self) -> bool:
        """Whether no file is worked on."""
        trip = self._trip  # read once: it may be replaced meanwhile
        return trip is not None and self.clock() < trip.until

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
        """Open, for longer each time. False: it was open, many files have met the same."""
        if self.is_open:
            return False
        last = self._trip
        pause_s = min(last.pause_s * 2, _LONGEST_PAUSE_S) if last else _FIRST_PAUSE_S
        one_file_first = one_file_first or self.one_file_first
        self._trip = _Trip(reason, self.clock() + pause_s, pause_s, one_file_first)
        return True

    def succeed(self) -> None:
        """Close after the pause. What succeeds while it is open was done before."""
        if not self.is_open:
            self._trip = None

    def reset(self) -> None:
        """Close at once: somebody says that the cause is mended."""
        self._trip = None
