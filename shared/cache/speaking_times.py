"""When each speaker of a file speaks, in whatever stream, and how long two do so at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from shared.cache.speakers import SpeakerTurn

SpeakingTimes: TypeAlias = NDArray[np.float64]  # [n, 2] ascending, of which no two touch
_LEAST_SHARE = 0.5  # of the seconds of whoever of two speaks less
_LEAST_OF_LONGER = 0.2  # of the other's: a word within somebody's speech is no sign


def speaking_times(turns: Sequence[SpeakerTurn]) -> dict[int, SpeakingTimes]:
    """When each one speaks, by number among the speakers."""
    found: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for turn in sorted(turns, key=lambda turn: (turn.start, turn.end)):
        times = found[turn.speaker]
        if times and turn.start <= times[-1][1]:
            times[-1] = (times[-1][0], max(times[-1][1], turn.end))
        else:
            times.append((turn.start, turn.end))
    return {speaker: np.array(times, np.float64) for speaker, times in found.items()}


def spoken_seconds(times: SpeakingTimes) -> float:
    """How long somebody speaks."""
    return float(np.diff(times, axis=1).sum())


def shared_seconds(one: SpeakingTimes, other: SpeakingTimes) -> float:
    """How long both speak."""
    lengths = np.diff(other, axis=1).ravel()
    ends = np.cumsum(lengths)
    # How long the other has spoken until some moment: that grows while they speak.
    until = np.column_stack([ends - lengths, ends]).ravel()
    starts, stops = np.interp(one, other.ravel(), until).T
    return float((stops - starts).sum())


def may_be_one(shared: float, one: float, other: float) -> bool:
    """Whether those who speak so long, at the same times for `shared` seconds, may be one."""
    return shared >= max(_LEAST_SHARE * min(one, other), _LEAST_OF_LONGER * max(one, other))
