"""When each speaker of a file speaks, in whatever stream, and how long two do so at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.cache.speakers import SpeakerTurn

_LEAST_SHARE = 0.5  # of the seconds of whoever of two speaks less
_LEAST_OF_LONGER = 0.2  # of the other's: a word within somebody's speech is no sign


@dataclass(frozen=True, slots=True, eq=False)
class SpeakingTimes:
    """When one of them speaks."""

    moments: NDArray[np.float64]  # [2n] begin, end, begin …, ascending; no two times touch
    spoken: NDArray[np.float64]  # [2n] how long that one has spoken until each moment

    @classmethod
    def of(cls, times: Sequence[tuple[float, float]]) -> SpeakingTimes:
        """Of (begin, end), ascending, of which no two touch."""
        moments = np.array(times, np.float64).reshape(-1, 2)
        lengths = moments[:, 1] - moments[:, 0]
        ends = np.cumsum(lengths)
        return cls(moments.ravel(), np.column_stack([ends - lengths, ends]).ravel())

    @property
    def seconds(self) -> float:
        """How long that one speaks."""
        return float(self.spoken[-1])

    def shared(self, other: SpeakingTimes) -> float:
        """How long both speak."""
        spoken = np.interp(other.moments, self.moments, self.spoken)  # it grows while they speak
        return float((spoken[1::2] - spoken[::2]).sum())

    def may_be(self, other: SpeakingTimes, shared: float) -> bool:
        """Whether both may be one, who speak at the same times for `shared` seconds."""
        less, more = sorted((self.seconds, other.seconds))
        return shared >= max(_LEAST_SHARE * less, _LEAST_OF_LONGER * more)


def speaking_times(turns: Sequence[SpeakerTurn]) -> dict[int, SpeakingTimes]:
    """When each one speaks, by number among the speakers."""
    found: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for turn in sorted(turns, key=lambda turn: (turn.start, turn.end)):
        times = found[turn.speaker]
        if times and turn.start <= times[-1][1]:
            times[-1] = (times[-1][0], max(times[-1][1], turn.end))
        else:
            times.append((turn.start, turn.end))
    return {speaker: SpeakingTimes.of(times) for speaker, times in found.items()}
