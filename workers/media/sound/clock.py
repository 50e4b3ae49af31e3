"""Where decoded sound belongs on the container's clock, and a gapless line of samples by it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Time stamps are rounded (Matroska's to 1 ms) and jitter in live recordings: single ones are
# believed beyond _GAP_S only, their average beyond _DRIFT_S.
_GAP_S = 0.05
_DRIFT_S = 0.005
_AVERAGED = 8  # frames
# Beyond this, leading back or out of the file, a time stamp is a broken one, as where a
# transport stream was spliced. The same bound as ffmpeg's dts_delta_threshold.
_BROKEN_S = 10.0
_LONGEST_GAP_S = 12 * 3600.0


@dataclass(slots=True)
class SoundClock:
    """Follows the time stamps of one stream. Seconds count from the container's time 0."""

    origin: float  # what the container's own clock shows at time 0
    stated_end: float | None  # seconds
    broken: int = 0  # time stamps that were not believed
    missing: float = 0.0  # seconds that time stamps left out
    repeated: float = 0.0  # seconds that time stamps place where there was sound already
    _due: float | None = None  # where the next frame begins if it follows the last one
    _shift: float = 0.0  # added to all time stamps since one was not believed
    _drift: float = 0.0

    def place(self, stamp: float | None, seconds: float) -> tuple[float, bool]:
        """Where a frame of this length begins, and whether it follows the last one directly."""
        is_first = self._due is None
        due = self._due or 0.0
        at = due if stamp is None else stamp - self.origin + self._shift
        if self._is_broken(at, due, is_first):
            self.broken += 1
            self._shift += due - at
            at = due
        follows = not is_first and self._follows(at, due)
        if follows:
            at = due
        elif not is_first:
            if abs(at - due) <= _GAP_S:
                at = due + self._drift
            self.missing += max(0.0, at - due)
            if due - at > _GAP_S:
                self.repeated += due - at
            self._drift = 0.0
        self._due = at + seconds
        return at, follows

    def skip(self, seconds: float) -> None:
        """Time that later stamps do not know of."""
        self._shift += seconds

    def _is_broken(self, at: float, due: float, is_first: bool) -> bool:
        end = _LONGEST_GAP_S if self.stated_end is None else self.stated_end
        if is_first:  # sound may begin long before the pictures, but not longer than it lasts
            return not -end - _BROKEN_S <= at <= end + _BROKEN_S
        leads_out = self.stated_end is not None and at > self.stated_end + _BROKEN_S
        forward = _BROKEN_S if leads_out else _LONGEST_GAP_S
        return not -_BROKEN_S <= at - due <= forward

    def _follows(self, at: float, due: float) -> bool:
        if abs(at - due) > _GAP_S:
            return False
        self._drift += (at - due - self._drift) / _AVERAGED
        return abs(self._drift) <= _DRIFT_S


class SoundLine:
    """Samples of one stream from sample 0 on without a gap; silence costs no memory."""

    def __init__(self) -> None:
        self._parts: deque[NDArray[np.float32] | int] = deque()  # an int: so many of silence
        self._taken = 0
        self.end = 0  # sample number that follows the last one
        self.held = 0  # samples in memory

    def write(self, at: int, samples: NDArray[np.float32]) -> None:
        """Silence fills what is missing before `at`; what is there already is not overwritten."""
        samples = samples[max(0, self.end - at) :]
        if not len(samples):
            return
        if at > self.end:
            self._parts.append(at - self.end)
        self._parts.append(samples)
        self.end = max(at, self.end) + len(samples)
        self.held += len(samples)

    def take(self, end: int) -> NDArray[np.float32]:
        """The samples from the last taken one to before `end`, silence where there are none."""
        out = np.zeros(end - self._taken, np.float32)
        at = 0
        while at < len(out) and self._parts:
            part = self._parts.popleft()
            room = len(out) - at
            if isinstance(part, int):
                count = min(part, room)
                if part > count:
                    self._parts.appendleft(part - count)
            else:
                count = min(len(part), room)
                out[at : at + count] = part[:count]
                self.held -= count
                if len(part) > count:
                    self._parts.appendleft(part[count:])
            at += count
        self._taken = end
        self.end = max(self.end, end)
        return out
