"""Tracks of captions as they are gathered, within bounds for hostile files."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

import msgspec
from av.stream import Disposition, Stream

from shared.cache.captions import CaptionSegment, CaptionTrack

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
