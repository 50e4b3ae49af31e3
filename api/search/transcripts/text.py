"""One transcript as a single searchable text, with where each segment begins in it."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from api.search.transcripts.folding import fold, glue
from shared.cache.transcripts import Segment, SpokenSegment

# Between sound streams: no query holds a line break, so no match reaches across.
STREAM_BORDER = b"\n"


class TranscriptLine(msgspec.Struct, frozen=True, array_like=True):
    """A segment as answers show it; seconds on the container's clock.

    `speaker`: of captions, of which nobody is known to speak, their kind. `segment`: start, end and
    text of all of the segment, where this is one speaker's part of it.
    """

    start: float
    end: float
    text: str
    speaker: str | None
    segment: tuple[float, float, str] | None = None


@dataclass(frozen=True, slots=True)
class SearchText:
    """Segment n of `lines` is `folded[starts[n]:starts[n + 1]]`, with what glues it to the next.

    `folded` is UTF-8; lines are by stream, then by time. `numbers`: of the segments, as they came.
    `voices`: ids of those who speak, by first appearance.
    """

    folded: bytes
    starts: array[int]
    lines: tuple[TranscriptLine, ...]
    numbers: tuple[int, ...] = ()
    voices: tuple[int, ...] = ()

    @property
    def speakers(self) -> tuple[str, ...]:
        """Folded speakers, one a line; none at all where no line names one."""
        if not any(line.speaker for line in self.lines):
            return ()
        return tuple(fold(line.speaker or "") for line in self.lines)


def pack(segments: Iterable[SpokenSegment | Segment]) -> SearchText:
    """The text of segments, ready for searching; those without text are left out."""
    pieces: list[bytes] = []
    starts = array("I")
    lines = []
    numbers = []
    length = 0
    last = ""
    streams = sorted(enumerate(segments), key=_stream_and_time)
    for _, spoken in itertools.groupby(streams, key=lambda numbered: numbered[1].stream):
        border = STREAM_BORDER if pieces else b""
        for number, segment in spoken:
            folded = fold(segment.text)
            if not folded:
                continue
            if pieces:
                border = border or glue(last, folded).encode()
            starts.append(length + len(border))
            pieces += (border, folded.encode())
            length += len(border) + len(pieces[-1])
            border, last = b"", folded
            line = TranscriptLine(segment.start, segment.end, segment.text.strip(), segment.speaker)
            lines.append(line)
            numbers.append(number)
    return SearchText(b"".join(pieces), starts, tuple(lines), tuple(numbers))


def _stream_and_time(numbered: tuple[int, SpokenSegment | Segment]) -> tuple[int, float]:
    segment = numbered[1]
    return -1 if segment.stream is None else segment.stream, segment.start


def joined(texts: Sequence[str]) -> str:
    """Return the texts of neighbouring lines as one."""
    text = texts[0]
    for more in texts[1:]:
        text += glue(text, more) + more
    return text
