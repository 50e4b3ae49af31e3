"""SubRip (srt) and WebVTT (vtt): cues in the order of their time."""

from __future__ import annotations

import re
from collections.abc import Iterator

from api.exports.cleaning import without_blank_lines
from api.exports.transcripts.captions import reflowed
from api.exports.transcripts.document import TranscriptDocument
from api.exports.transcripts.text_formats import spoken
from shared.clock_times import clock, milliseconds

# A line of text that reads like the timing of a cue; readers that tolerate missing blank lines
# (FFmpeg's among them) would begin a cue there. SubRip has no escape.
_LOOKS_LIKE_TIMING = re.compile(r"^(\s*\d+:\d+:\d+[,.]\d+\s*)-->", re.MULTILINE)


def srt(document: TranscriptDocument) -> bytes:
    """SubRip in UTF-8 without BOM, `\\n`, comma before the milliseconds."""
    cues = []
    cued = _cues(document, name_speakers=document.name_speakers)
    for number, (start, end, text, _) in enumerate(cued, 1):
        text = _LOOKS_LIKE_TIMING.sub(r"\1->", text)
        cues.append(f"{number}\n{clock(start, ',')} --> {clock(end, ',')}\n{text}\n\n")
    return "".join(cues).encode()


def vtt(document: TranscriptDocument) -> bytes:
    """WebVTT: text escaped, so that no `-->` or tag of its own is in it; speakers as voices."""
    cues = ["WEBVTT\n\n"]
    for start, end, text, speaker in _cues(document, name_speakers=False):
        voice = f"<v {_escaped(speaker)}>" if speaker else ""
        cues.append(f"{clock(start)} --> {clock(end)}\n{voice}{_escaped(text)}\n\n")
    return "".join(cues).encode()


def _cues(
    document: TranscriptDocument, *, name_speakers: bool
) -> Iterator[tuple[int, int, str, str | None]]:
    """(start ms, end ms, text, speaker) by start; what says nothing is left out.

    An end is at least 1 ms after its start: readers refuse or hide other cues.
    """
    segments = sorted(document.segments, key=lambda segment: segment.start)
    if document.captions:
        segments = reflowed(document, document.captions, name_speakers=name_speakers)
    for segment in segments:
        if segment.text.strip():
            text = without_blank_lines(spoken(segment) if name_speakers else segment.text)
            start = milliseconds(segment.start)
            yield start, max(milliseconds(segment.end), start + 1), text, segment.speaker


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
