"""Tracks of captions as they are gathered, within bounds for hostile files."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

import msgspec
from av.packet import Packet
from av.stream import Disposition, Stream
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle

from shared.cache.captions import CaptionSegment, CaptionTrack

CODECS = frozenset(("ass", "ssa", "subrip", "text", "mov_text", "webvtt"))
_STYLED = frozenset(("ass", "ssa"))  # in which all braces are no text
_FIELDS = 8  # of an event before its text, which may hold commas itself
_BRACES = re.compile(r"(?<!\\)(\{[^}]*\})")
_SCALE = re.compile(r"\\p(\d+)")  # of a drawing; 0 ends it
_BREAK = re.compile(r"\\[Nnh]")
_ESCAPED = re.compile(r"\\([{}])")
# What FFmpeg makes of tags in the other kinds, and what people put there for players.
_LOOKS = re.compile(
    r"\{(?:\\(?:an?\d{1,2}|[ibus]\d{0,3}|[1-4]?(?:c|a|alpha)(?:&H[0-9A-Fa-f]*&?)?|f[nsre][^\\{}]*"
    r"|r[^\\{}]*|(?:pos|move|fade?|org|i?clip|t)\([^{}]*\)))+\}"
)
_BRACE = "\\{{}"  # as FFmpeg escapes one of WebVTT; it puts a word joiner behind a backslash
_BACKSLASH = "\\\u2060"

MOST_SEGMENTS = 200_000  # of a file: of 24 h, one every two seconds in four languages
MOST_BYTES = 2_000_000  # of a file, as search folds them: a film in thirty languages has as many
LONGEST_TEXT = 2000  # characters of one segment
_LONGEST_TITLE = 200
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_TURNING = re.compile(r"[\u202a-\u202e\u2066-\u2069]")  # the text around, too, where none ends it
_FOR_THE_DEAF = Disposition.hearing_impaired | Disposition.captions


@dataclass(slots=True)
class CaptionRoom:
    """What all tracks of a file may still take."""

    last_s: float  # nothing is believed that comes later
    segments: int = MOST_SEGMENTS
    bytes: int = MOST_BYTES
    is_used_up: bool = False

    def take(self, text: str) -> bool:
        """Whether there is room for a segment."""
        size = len(unicodedata.normalize("NFKC", text).casefold().encode())  # up to 18-fold
        if self.segments < 1 or self.bytes < size:
            self.is_used_up = True
            return False
        self.segments -= 1
        self.bytes -= size
        return True


@dataclass(slots=True)
class GrowingTrack:
    """One track; times are seconds on the container's clock."""

    track: CaptionTrack  # without segments
    room: CaptionRoom
    segments: list[CaptionSegment] = field(default_factory=list)

    def add(self, start: float, text: str, end: float) -> None:
        """Take what is said, but for what is empty, comes twice or lies outside the film."""
        text = text[:LONGEST_TEXT].strip()
        start, end = max(0.0, start), min(end, self.room.last_s)
        if not text or not start < end:
            return
        segment = CaptionSegment(round(start, 3), text, round(end, 3))
        if self.segments[-1:] != [segment] and self.room.take(text):
            self.segments.append(segment)

    def finished(self, *, has_language: bool = True) -> CaptionTrack:
        """The track; `has_language`: what the stream says of its language is true of it."""
        ordered = sorted(self.segments, key=lambda segment: (segment.start, segment.end))
        language = self.track.language if has_language else None
        return msgspec.structs.replace(self.track, segments=tuple(ordered), language=language)


def plain(text: str) -> str:
    """One line, without characters that nobody sees or that turn the direction of others."""
    return " ".join(_UNSEEN.sub(" ", _TURNING.sub("", text)).split())


def track_of(stream: Stream, service: str | None = None) -> CaptionTrack:
    """What the container says of a track, which has no segments yet."""
    said = stream.metadata
    title = plain(said.get("title") or said.get("name") or "")[:_LONGEST_TITLE]
    if stream.disposition & Disposition.forced and "forced" not in title.casefold():
        title = f"{title} (forced)".strip()
    language = said.get("language", "")
    is_named = _LANGUAGE.fullmatch(language) and language != "und"
    return CaptionTrack(
        kind="captions" if service or stream.disposition & _FOR_THE_DEAF else "subtitles",
        segments=(),
        language=language if is_named else None,
        title=title or None,
        stream=stream.index,
        service=service,
    )


def text_of(packet: Packet[SubtitleStream], codec: str) -> str:
    """What an event says, on one line. Raises FFmpegError for one that cannot be decoded."""
    parts = (part for part in packet.decode() if isinstance(part, AssSubtitle))
    return " ".join(filter(None, (_said(part, codec) for part in parts)))


def _said(part: AssSubtitle, codec: str) -> str:
    # Not PyAV's `dialogue`: for that all braces are tags, and what follows an open one as well.
    text = part.ass.split(b",", _FIELDS)[-1].decode("utf-8", "replace")
    if codec in _STYLED:
        text = _ESCAPED.sub(r"\1", _BREAK.sub(" ", _without_drawings(text)))
    else:
        text = _LOOKS.sub("", text).replace(_BRACE, "{")
        # A line break has no joiner behind it.
        text = text.replace("\\N", " ").replace(_BACKSLASH, "\\")
    return plain(text)


def _without_drawings(text: str) -> str:
    """What stands outside of braces and is no drawing."""
    kept, is_drawn = list[str](), False
    for number, piece in enumerate(_BRACES.split(text)):
        if number % 2:
            scales = _SCALE.findall(piece)
            is_drawn = bool(scales[-1].strip("0")) if scales else is_drawn
        elif not is_drawn:
            kept.append(piece)
    return "".join(kept)
