"""Text as transcript search compares it, and one transcript as a single text with its segments.

Case, width, spaces and typography are folded away; accents and punctuation stay significant.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from shared.cache.transcripts import Segment, SpokenSegment
from shared.errors import BadInput

# Unicode's Default_Ignorable_Code_Point, which NFKC_Casefold drops (soft hyphen, joiners, marks
# of direction, variation selectors), and the control characters that are no white space.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# What keyboards and speech models write in turns. Turkish letters with and without a dot meet in
# one, since otherwise no folding finds both "Istanbul" and "ılık" whatever their case.
_TYPOGRAPHY = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\u2032", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        "\u0131": "i",
    }
)
_DOT_ABOVE = "i\u0307"
# Han, kana, Thai, Lao, Burmese and Khmer are written without spaces between words.
_SPACELESS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff01-\uff60\uff61-\uff9f\U00020000-\U0003ffff]"
)
# Between sound streams: no query holds a line break, so no match reaches across.
STREAM_BORDER = b"\n"


def fold(text: str) -> str:
    """The form in which a query is a substring of what it should find; folding twice is once.

    Unicode's compatibility caseless matching (The Unicode Standard, 3.13, D146), composed.
    """
    if text.isascii():
        folded = _UNSEEN.sub("", text).lower()
    else:
        folded = unicodedata.normalize("NFD", text).casefold()
        folded = unicodedata.normalize("NFKC", folded).casefold()
        folded = _UNSEEN.sub("", folded).translate(_TYPOGRAPHY)
        folded = unicodedata.normalize("NFKD", folded).replace(_DOT_ABOVE, "i")
        folded = unicodedata.normalize("NFC", folded)
    return " ".join(folded.split())


def asked_text(text: str, field: str) -> str:
    """A query, folded. Raises BadInput for what no transcript can hold, naming the field."""
    for character in text:
        is_control = unicodedata.category(character) in ("Cc", "Cs") and not character.isspace()
        if is_control:
            raise BadInput(f"{field} holds the control character U+{ord(character):04X}.")
    folded = fold(text)
    if not folded:
        raise BadInput(f"{field} must not be empty.")
    return folded


def glue(left: str, right: str) -> str:
    """What stands between two neighbouring texts: nothing in scripts without spaces."""
    if left and right and _SPACELESS.match(left[-1]) and _SPACELESS.match(right[0]):
        return ""
    return " "


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
