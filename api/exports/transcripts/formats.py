"""The formats of transcripts: their names, media types and writers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from api.exports.transcripts import text_formats
from api.exports.transcripts.document import Rendered, TranscriptDocument
from shared.errors import BadInput


@dataclass(frozen=True, slots=True)
class Format:
    """`extension` is also the name by which a request asks for it.

    `is_document`: laid out, so that 20,000 segments take seconds and up to 100 MB of memory.
    """

    extension: str
    media_type: str
    render: Callable[[TranscriptDocument], Rendered]
    is_document: bool = False


def format_named(name: str) -> Format:
    """The format of a name in any case. Raises BadInput that lists what there is."""
    found = FORMATS.get(name.strip().lower())
    if found is None:
        raise BadInput(f"format must be one of {', '.join(FORMATS)}, not {name[:40]!r}.")
    return found


def _whole(
    write: Callable[[TranscriptDocument], bytes],
) -> Callable[[TranscriptDocument], Rendered]:
    """A writer that can show everything."""
    return lambda document: Rendered(write(document))


def _docx(document: TranscriptDocument) -> Rendered:
    from api.exports.transcripts.word_document import docx  # loads a library

    return Rendered(docx(document))


def _pdf(document: TranscriptDocument) -> Rendered:
    from api.exports.transcripts.pdf.writer import pdf_bytes  # loads fonts and two libraries

    return pdf_bytes(document)


FORMATS = {
    known.extension: known
    for known in (
        Format("txt", "text/plain", _whole(text_formats.txt)),
        Format("csv", "text/csv", _whole(text_formats.csv_table)),
        Format(
            "docx",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            _docx,
            is_document=True,
        ),
        Format("pdf", "application/pdf", _pdf, is_document=True),
        Format("srt", "application/x-subrip", _whole(text_formats.srt)),
        Format("vtt", "text/vtt", _whole(text_formats.vtt)),
        Format("json", "application/json", _whole(text_formats.json_file)),
    )
}
