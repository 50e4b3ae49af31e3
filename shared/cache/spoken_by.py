"""A transcript by who says what: segments that break where another one speaks."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from shared.cache.speakers import SpeakerTurn
from shared.cache.transcripts import Segment, Word


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
