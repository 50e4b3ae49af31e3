"""The words of subtitle events, without what only says how they look."""

from __future__ import annotations

import re

from av.packet import Packet
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle

from workers.media.captions.words import plain

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
