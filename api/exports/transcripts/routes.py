"""Transcripts as files: sent back, or written where the client says."""

from __future__ import annotations

import contextlib
from typing import Any

from anyio import CapacityLimiter
from msgspec import Raw

from api.exports.cleaning import title
from api.exports.output_path import resolved_output_path, write_to
from api.exports.transcripts.answers import ExportedTranscript, TranscriptFile
from api.exports.transcripts.bodies import ExportTranscriptBody
from api.exports.transcripts.document import TranscriptDocument
from api.exports.transcripts.formats import FORMATS, Format, format_named
from api.exports.transcripts.segments import segments_of
from api.http.body_reading import decoded_parts
from api.http.client_paths import ClientPaths
from api.http.endpoint import Call, Endpoint, FileReply
from api.http.services import CoreServices
from shared.errors import BadInput
from shared.exports.names import file_name
from shared.models.languages import language_code
from shared.rights import KeyScope
from shared.timecode import Timecode, frame_rate

_UNTITLED = "Transcript"
_DOCUMENT_TURNS = CapacityLimiter(2)  # each takes up to 100 MB and a core


async def export_transcript(
    call: Call[ExportTranscriptBody], services: CoreServices
) -> FileReply | ExportedTranscript:
    """A transcript as a file.

    Takes an item of /transcriptions as it is. Answers the file, or with `output_path` JSON that
    says where it was written (format json: its file is JSON too). Control characters and halves
    of characters are left out of all text; srt and vtt are sorted by time, the other formats
    keep the given order. A name in `output_path` that ends in another format's extension is
    refused. Two documents (docx, pdf) are made at a time; more wait for their turn.
    """
    wanted = format_named(call.body.format)
    body = call.body
    async with _DOCUMENT_TURNS if wanted.is_document else contextlib.nullcontext():
        return await services.in_export_folder(
            body.output_path, _exported, services.paths, body, wanted
        )


def _exported(
    paths: ClientPaths, body: ExportTranscriptBody, wanted: Format
) -> FileReply | ExportedTranscript:
    target = resolved_output_path(
        paths, body.output_path, body.display_name, wanted.extension, FORMATS
    )
    rendered = wanted.render(_document(body))
    if target is None:
        name = file_name(body.display_name, wanted.extension)
        return FileReply(rendered.content, wanted.media_type, name, rendered.warnings)
    written = write_to(target, rendered.content, paths, body)
    return ExportedTranscript(output_path=written, warnings=list(rendered.warnings))


def _document(body: ExportTranscriptBody) -> TranscriptDocument:
    """What is to be written. Raises BadInput, naming the field."""
    captions = body.captions
    if captions and captions.max_duration < captions.min_duration:
        raise BadInput("captions.max_duration must not be shorter than captions.min_duration.")
    return TranscriptDocument(
        title=title(body.display_name, _UNTITLED),
        segments=segments_of(
            decoded_parts(body.segments, "segments"),
            _parts(body.words, "words"),
            _parts(body.speakers, "speakers"),
            _parts(body.speaker_names, "speaker_names"),
        ),
        language=language_code(body.language),
        timecode=_timecode(body),
        timestamps=body.timestamps,
        name_speakers=body.with_speakers,
        formula_guard=body.formula_guard,
        captions=captions,
    )


def _parts(raw: list[Raw] | None, name: str) -> list[Any] | None:
    return None if raw is None else decoded_parts(raw, name)


def _timecode(body: ExportTranscriptBody) -> Timecode | None:
    if body.fps is None:
        if body.start_timecode is not None:
            raise BadInput("start_timecode needs fps: the frames of which rate it counts.")
        return None
    return Timecode.starting_at(frame_rate(body.fps), body.start_timecode)


ENDPOINTS = (
    Endpoint(
        "POST /export/transcript",
        export_transcript,
        "Exports",
        KeyScope.EXPORT,
        is_audited=True,
        files=tuple(f.media_type for f in FORMATS.values() if f.extension != "json"),
        json_file=TranscriptFile,
        drops_half_characters=True,
        example={"output_path": ...},
    ),
)
