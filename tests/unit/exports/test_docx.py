"""Word documents, read back with python-docx and looked into as XML."""

from __future__ import annotations

import io
import time
import zipfile
from fractions import Fraction

import docx
import pytest

from api.exports.cleaning import clean
from api.exports.transcripts.document import ExportSegment, TranscriptDocument
from api.exports.transcripts.segments import segments_of
from api.exports.transcripts.word_document import docx as written
from shared.timecode import Timecode
from tests.support.running.long_form import by_form
from tests.unit.exports.test_text import NASTY

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def opened(made: TranscriptDocument) -> docx.document.Document:
    return docx.Document(io.BytesIO(written(made)))


def test_the_text_read_back_equals_the_cleaned_text() -> None:
    made = TranscriptDocument("A title", segments_of([[n, t, n] for n, t in enumerate(NASTY)]))
    title, *paragraphs = opened(made).paragraphs
    assert (title.text, title.style.name) == ("A title", "Heading 1")
    assert [p.text.partition("] ")[2] for p in paragraphs] == [clean(text) for text in NASTY]
    assert paragraphs[1].text.startswith("[00:00:01.000 - 00:00:01.000] ")
    assert not [r for p in paragraphs for r in p.hyperlinks]


def test_times_and_speakers_are_runs_of_their_own() -> None:
    segments = (ExportSegment(1, 2, "Hi\tthere", "Ada"),)
    made = TranscriptDocument("T", segments, timecode=Timecode(Fraction(25)))
    runs = opened(made).paragraphs[1].runs
    assert [run.text for run in runs] == ["[00:00:01:00 - 00:00:02:00] ", "Ada: ", "Hi\tthere"]
    assert [(run.style.name, run.bold) for run in runs][:2] == [
        ("Timestamp", None),
        ("Default Paragraph Font", True),
    ]
    plain = opened(TranscriptDocument("T", segments, timestamps=False))
    assert plain.paragraphs[1].text == "Ada: Hi\tthere"


def test_right_to_left_text_says_so_and_the_times_before_it_do_not() -> None:
    made = TranscriptDocument(
        "כותרת", (ExportSegment(0, 1, "שלום עולם"), ExportSegment(1, 2, "Latin שלום"))
    )
    title, hebrew, latin = opened(made).paragraphs
    for paragraph in (title, hebrew):
        assert paragraph._p.find(f"{W}pPr/{W}bidi") is not None
    assert [run.font.rtl for run in hebrew.runs] == [None, True]
    assert latin._p.find(f"{W}pPr") is None


@pytest.mark.parametrize(
    ("language", "font"), [("ja", "Yu Gothic"), ("ko", "Malgun Gothic"), (None, "Microsoft YaHei")]
)
def test_every_kind_of_script_has_a_font(language: str | None, font: str) -> None:
    made = opened(TranscriptDocument("T", (), language))
    for style in ("Normal", "Heading 1"):
        fonts = made.styles[style].element.rPr.rFonts
        assert {name: fonts.get(W + name) for name in ("ascii", "hAnsi", "eastAsia", "cs")} == {
            "ascii": "Calibri",
            "hAnsi": "Calibri",
            "eastAsia": font,
            "cs": "Arial",
        }
        assert not [name for name in fonts.attrib if "Theme" in name]


def test_the_same_input_gives_the_same_bytes_with_properties_of_ours() -> None:
    made = TranscriptDocument("x" * 255, (ExportSegment(0, 1, "a"),), "de")
    assert written(made) == written(made)
    with zipfile.ZipFile(io.BytesIO(written(made))) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    found = opened(made).core_properties
    assert (found.title, found.author, found.comments, found.language) == (
        "x" * 255,
        "Rushes",
        "",
        "de",
    )
    assert found.created.year == found.modified.year == 2000


def test_an_empty_transcript_is_a_document_with_its_title() -> None:
    assert [p.text for p in opened(TranscriptDocument("T", ())).paragraphs] == ["T"]


def test_twenty_thousand_segments_are_written_in_seconds() -> None:
    """The short form has a tenth of them, in less than a tenth of the time: the cost is linear."""
    count, limit_s = by_form(short=(2_000, 0.6), long=(20_000, 15.0))
    segments = tuple(
        ExportSegment(n, n + 1, "Some words that are said here.") for n in range(count)
    )
    began = time.process_time()
    content = written(TranscriptDocument("T", segments))
    assert time.process_time() - began < limit_s
    assert len(docx.Document(io.BytesIO(content)).paragraphs) == count + 1
