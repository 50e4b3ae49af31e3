"""txt, csv and json of a transcript."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from html import escape
from typing import Any

import msgspec

from api.exports.cleaning import guarded, without_blank_lines
from api.exports.transcripts.captions import reflowed
from api.exports.transcripts.document import ExportSegment, TranscriptDocument
from shared.clock_times import clock, milliseconds
from shared.models.languages import language_name

_BOM = "\ufeff"  # without it Excel takes UTF-8 for the machine's old code page

# A line of text that reads like the timing of a cue; readers that tolerate missing blank lines
# (FFmpeg's among them) would begin a cue there. SubRip has no escape.
_LOOKS_LIKE_TIMING = re.compile(r"^(\s*\d+:\d+:\d+[,.]\d+\s*)-->", re.MULTILINE)


def txt(document: TranscriptDocument) -> bytes:
    """UTF-8 without BOM, `\\n`: `[start - end] Speaker: text`, one segment after the other."""
    lines = []
    for segment in document.segments:
        stamp = f"{document.stamp(segment)} " if document.timestamps else ""
        text = spoken(segment) if document.name_speakers else segment.text
        lines.append(f"{stamp}{text}\n")
    return "".join(lines).encode()


def spoken(segment: ExportSegment) -> str:
    """The text with its speaker in front, where one is known."""
    return f"{segment.speaker}: {segment.text}" if segment.speaker else segment.text


def csv_table(document: TranscriptDocument) -> bytes:
    """RFC 4180 in UTF-8 with BOM, CRLF: start, end (seconds), text, then what else is known."""
    guard = guarded if document.formula_guard else str
    timecode = document.timecode
    has_speakers = any(segment.speaker for segment in document.segments)
    header = ["start", "end", "text"]
    header += ["start_tc", "end_tc"] if timecode else []
    header += ["speaker"] if has_speakers else []
    file = io.StringIO(newline="")
    rows = csv.writer(file, lineterminator="\r\n")
    rows.writerow(header)
    for segment in document.segments:
        row = [_seconds(segment.start), _seconds(segment.end), guard(segment.text)]
        row += [timecode.at(segment.start), timecode.at(segment.end)] if timecode else []
        row += [guard(segment.speaker or "")] if has_speakers else []
        rows.writerow(row)
    return (_BOM + file.getvalue()).encode()


def json_file(document: TranscriptDocument) -> bytes:
    """An object with `title`, `language` and `segments`, which this endpoint takes back again."""
    language = document.language and language_name(document.language)
    whole: dict[str, Any] = {"title": document.title, "language": language}
    whole["segments"] = [_segment(document, segment) for segment in document.segments]
    return msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n"


def _segment(document: TranscriptDocument, segment: ExportSegment) -> dict[str, Any]:
    found: dict[str, Any] = {"start": segment.start, "end": segment.end, "text": segment.text}
    if document.timecode:
        found["start_tc"] = document.timecode.at(segment.start)
        found["end_tc"] = document.timecode.at(segment.end)
    if segment.speaker:
        found["speaker"] = segment.speaker
    if segment.words:
        found["words"] = [
            {"start": word.start, "end": word.end, "text": word.text}
            | ({} if word.probability is None else {"probability": word.probability})
            | ({"doubtful": True} if word.doubtful else {})
            for word in segment.words
        ]
    return found


def _seconds(value: float) -> str:
    ms = milliseconds(value)
    return f"{ms // 1000}.{ms % 1000:03d}"


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
        voice = f"<v {escape(speaker, quote=False)}>" if speaker else ""
        cues.append(f"{clock(start)} --> {clock(end)}\n{voice}{escape(text, quote=False)}\n\n")
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
