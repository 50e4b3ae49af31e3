"""The words of subtitle events, without what only says how they look."""

from __future__ import annotations

import re

from av.packet import Packet
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle

CODECS = frozenset(("ass", "ssa", "subrip", "text", "mov_text", "webvtt"))
_STYLED = frozenset(("ass", "ssa"))  # in which all braces are no text
_DRAWING = re.compile(r"\{[^{}]*\\p[1-9]")
_BRACES = re.compile(r"\{[^{}]*\}")
_OVERRIDES = re.compile(r"\{\\[^{}]*\}")
_UNSEEN = re.compile(r"\\h|[\x00-\x1f\x7f-\x9f\ufeff]")


def text_of(packet: Packet[SubtitleStream], codec: str) -> str:
    """What an event says, on one line. Raises FFmpegError for one that cannot be decoded."""
    parts = (part for part in packet.decode() if isinstance(part, AssSubtitle))
    return " ".join(filter(None, (_plain(part, codec) for part in parts)))


def _plain(part: AssSubtitle, codec: str) -> str:
    text = part.dialogue.decode("utf-8", "replace")
    if _DRAWING.search(text):
        return ""
    text = (_BRACES if codec in _STYLED else _OVERRIDES).sub("", text)
    return " ".join(_UNSEEN.sub(" ", text).split())
