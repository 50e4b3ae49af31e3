"""A transcript by who says what: segments that break where another one speaks."""

from __future__ import annotations

import bisect
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.cache.speakers import SpeakerTurn
from shared.cache.transcripts import Segment, Word

_LEAST_SHARE = 0.5  # of the seconds of whoever of two speaks less
_LEAST_OF_LONGER = 0.2  # of the other's: a word within somebody's speech is no sign


@dataclass(frozen=True, slots=True)
class SpokenBy:
    """A segment, or the part of one that one person says; `number` of it in the transcript.

    `is_doubtful`: most of its words may be somebody else's.
    """

    segment: Segment
    number: int
    is_doubtful: bool


def speaker_label(number: int) -> str:
    """What a speaker is called in a file: by first appearance."""
    return f"S{number + 1}"


def by_speaker(segments: Sequence[Segment], turns: Sequence[SpeakerTurn]) -> list[SpokenBy]:
    """All segments in their order, each said by one speaker or by nobody known."""
    streams: dict[int | None, list[SpeakerTurn]] = {}
    for turn in turns:
        streams.setdefault(turn.stream, []).append(turn)
    found: list[SpokenBy] = []
    for number, segment in enumerate(segments):
        ours = streams.get(segment.stream, [])
        found += _parts(segment, number, ours)
    return found


def _parts(segment: Segment, number: int, turns: Sequence[SpeakerTurn]) -> Iterator[SpokenBy]:
    words = segment.words or (Word(segment.start, segment.end, segment.text, 1.0),)
    owners = [_turn_of(word, turns) for word in words]
    voices = [None if turn is None else turn.speaker for turn in owners]
    firsts = [0, *(n for n in range(1, len(words)) if voices[n] != voices[n - 1])]
    places = _places(segment, words)
    for first, end in itertools.pairwise([*firsts, len(words)]):
        voice = voices[first]
        is_last = end == len(words)
        doubts = sum(turn is not None and turn.doubtful for turn in owners[first:end])
        part = msgspec.structs.replace(
            segment,
            start=words[first].start if first else segment.start,
            end=segment.end if is_last else words[end - 1].end,
            text=segment.text[places[first] : None if is_last else places[end]].strip(),
            words=segment.words[first:end],
            doubtful=tuple(n - first for n in segment.doubtful if first <= n < end),
            speaker=None if voice is None else speaker_label(voice),
        )
        yield SpokenBy(part, number, 2 * doubts > end - first)


def _turn_of(word: Word, turns: Sequence[SpeakerTurn]) -> SpeakerTurn | None:
    """The turn that holds a word's middle."""
    middle = (word.start + word.end) / 2
    at = bisect.bisect_right(turns, middle, key=lambda turn: turn.start) - 1
    return turns[at] if at >= 0 and middle <= turns[at].end else None


def _places(segment: Segment, words: Sequence[Word]) -> list[int]:
    """Where in the text each word begins; where one is not found, after the one before it."""
    places: list[int] = []
    at = 0
    for n, word in enumerate(words):
        found = segment.text.find(word.text, at) if n else 0
        places.append(max(found, at))
        at = places[-1] + (len(word.text) if found >= 0 else 0)
    return places


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
        return float(self.spoken[-1])

    def shared(self, other: SpeakingTimes) -> float:
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
