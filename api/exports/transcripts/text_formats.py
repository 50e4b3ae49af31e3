"""txt, csv and json of a transcript."""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec

from api.exports.cleaning import guarded
from api.exports.transcripts.document import ExportSegment, TranscriptDocument
from shared.clock_times import milliseconds
from shared.models.languages import language_name

_BOM = "\ufeff"  # without it Excel takes UTF-8 for the machine's old code page


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
