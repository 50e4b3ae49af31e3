"""What every transcript format is written from: a title and segments, cleaned and checked.

A format is a pure function: `write(document) -> bytes`, or `-> Rendered` where it may have to say
that something could not be shown. Its module knows nothing of HTTP, paths or other formats.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.clock_times import clock, milliseconds
from shared.timecode import Timecode


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


@dataclass(frozen=True, slots=True)
class CaptionRules:
    """How long lines and how quick captions may be, by Netflix's Timed Text Style Guide.

    Sizes in characters (a full-width one counts for more, see captions), times in seconds.
    """

    max_chars: int = 42
    max_lines: int = 2
    min_duration: float = 0.833
    max_duration: float = 7.0
    max_cps: float = 17.0
    gap_frames: int = 2


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
    captions: CaptionRules | None = None

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
