"""What every transcript format is written from: a title and segments, cleaned and checked.

A format is a pure function: `write(document) -> bytes`, or `-> Rendered` where it may have to say
that something could not be shown. Its module knows nothing of HTTP, paths or other formats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, Struct

from shared.clock_times import clock, milliseconds
from shared.timecode import Timecode

LONGEST_SPOKEN = 100_000  # characters of a segment, a word or a speaker
MOST_WORDS = 100_000  # of one segment


@dataclass(frozen=True, slots=True)
class ExportWord:
    """One word; times in seconds."""

    start: float
    end: float
    text: str
    probability: float | None = None
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class ExportSegment:
    """What is said from `start` to `end` (seconds, finite, 0 <= start <= end).

    `text` is clean (see cleaning.clean) and may hold newlines and tabs; `speaker` is one line.
    """

    start: float
    end: float
    text: str
    speaker: str | None = None
    words: tuple[ExportWord, ...] = ()


class CaptionsBody(Struct, kw_only=True):
    """How subtitles are cut anew; the defaults are those of Netflix's guide."""

    max_chars: Annotated[int, Meta(ge=4, le=200, examples=[42])] = 42
    """Longest line; a Chinese or Korean character counts as 2.6, a Japanese one as 3.2."""
    max_lines: Annotated[int, Meta(ge=1, le=10, examples=[2])] = 2
    """Lines of a cue."""
    min_duration: Annotated[float, Meta(ge=0, le=60)] = 0.833
    """Seconds that a cue stays, if the next one lets it."""
    max_duration: Annotated[float, Meta(gt=0, le=600)] = 7.0
    """Seconds after which a cue goes."""
    max_cps: Annotated[float, Meta(gt=0, le=1000)] = 17.0
    """Characters a second: a cue stays longer, if there is room."""
    gap_frames: Annotated[int, Meta(ge=0, le=240)] = 2
    """Frames between cues, at fps (24 where that is left out)."""


@dataclass(frozen=True, slots=True)
class TranscriptDocument:
    """A transcript to be written, its segments in the order of the request.

    `title`: one clean line of at most 255 characters. `language`: Whisper's code ("en", "zh") or
    None where unknown. `timestamps`: whether readable formats show times. `name_speakers`: whether
    those that have no place of their own for it say who speaks. `formula_guard`: whether
    spreadsheet cells that look like formulas are marked. `captions`: rules to reflow subtitles by;
    None leaves one cue per segment.
    """

    title: str
    segments: tuple[ExportSegment, ...]
    language: str | None = None
    timecode: Timecode | None = None
    timestamps: bool = True
    name_speakers: bool = True
    formula_guard: bool = True
    captions: CaptionsBody | None = None

    def stamp(self, segment: ExportSegment) -> str:
        """`[HH:MM:SS.mmm - HH:MM:SS.mmm]`, or with timecode where a frame rate is given."""
        if self.timecode:
            return f"[{self.timecode.at(segment.start)} - {self.timecode.at(segment.end)}]"
        start, end = milliseconds(segment.start), milliseconds(segment.end)
        return f"[{clock(start)} - {clock(end)}]"


@dataclass(frozen=True, slots=True)
class Rendered:
    """The bytes of a file, and sentences on what in it is not as it was asked for."""

    content: bytes
    warnings: tuple[str, ...] = ()
