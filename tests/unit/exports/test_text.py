"""txt, csv, json, srt and vtt: the exact bytes, and what independent readers find in them."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from fractions import Fraction

import pytest
import webvtt
from hypothesis import given
from hypothesis import strategies as st

from api.exports.cleaning import clean, guarded, is_rtl, title, without_blank_lines
from api.exports.transcripts.document import ExportSegment, ExportWord, TranscriptDocument
from api.exports.transcripts.formats import FORMATS
from api.exports.transcripts.segments import segments_of
from shared.timecode import Timecode

NASTY = (
    "=1+1",
    "-2",
    "@x",
    '"quoted", with a comma',
    "two\nlines",
    "a\x00b",
    "😀 👩‍👩‍👧",
    "שלום עולם",
    "مرحبا",
    "漢字かな交じり",
    "{x} {\\an8}",
    "<b>bold & bare</b>",
    "00:00:01,000 --> 00:00:02,000",
    "a --> b",
    "top\n\n\nbottom",
    "42",
    "WEBVTT",
    "NOTE x",
)


def document(*texts: str) -> TranscriptDocument:
    """A segment a second, from second 1 on."""
    raw = [[n, text, n + 0.5] for n, text in enumerate(texts, 1)]
    return TranscriptDocument("A title", segments_of(raw))


def written(made: TranscriptDocument, format_name: str) -> str:
    return FORMATS[format_name].render(made).content.decode()


def cues_of(text: str, format_name: str) -> list[tuple[str, str, str]]:
    """What webvtt-py, which knows nothing of us, reads."""
    if not text:
        return []  # the reader refuses an empty file
    found = webvtt.from_buffer(io.StringIO(text), format=format_name)
    return [(cue.start, cue.end, cue.raw_text) for cue in found]


def test_text_loses_what_no_format_can_hold_and_nothing_else() -> None:
    assert clean("a\x00\x07\x1b\tb\r\nc\rd\ne\ud800\udfff\ufffe\uffff") == "a\tb\nc\nd\ne"
    assert clean("😀 é\u0301 \u200f שלום {x} \ufffd") == "😀 é\u0301 \u200f שלום {x} \ufffd"
    assert clean("a\u2028b\u2029c\x85d") == "a\nb\nc\nd"
    assert without_blank_lines("\n a\n \n\nb\n") == " a\nb"
    assert title(" a\n b\x00 ", "T") == "a b"
    assert (title("\x00 ", "T"), len(title("x" * 300, "T"))) == ("T", 255)
    assert [is_rtl(t) for t in ("", "12 שלום a", "a שלום", "- مرحبا")] == [False, True, False, True]


def test_txt_has_one_stamp_a_segment_and_keeps_the_given_order() -> None:
    segments = (
        ExportSegment(3599.9996, 360_000, "Last.", "Ada"),
        ExportSegment(0, 0, "two\nlines"),
        ExportSegment(1.5, 2.25, ""),
    )
    made = TranscriptDocument("T", segments)
    assert written(made, "txt") == (
        "[01:00:00.000 - 100:00:00.000] Ada: Last.\n"
        "[00:00:00.000 - 00:00:00.000] two\nlines\n"
        "[00:00:01.500 - 00:00:02.250] \n"
    )
    plain = dataclasses.replace(made, timestamps=False)
    assert written(plain, "txt") == "Ada: Last.\ntwo\nlines\n\n"
    timed = dataclasses.replace(
        made, timecode=Timecode.starting_at(Fraction(30000, 1001), "01:00:00;00")
    )
    assert written(timed, "txt").startswith("[02:00:00;00 - 05:00:00;11] Ada: Last.\n")


def test_csv_has_a_bom_crlf_and_quotes_only_where_rfc_4180_wants_them() -> None:
    assert FORMATS["csv"].render(document("a", 'b, "c"', "d\ne")).content == (
        b"\xef\xbb\xbfstart,end,text\r\n"
        b"1.000,1.500,a\r\n"
        b'2.000,2.500,"b, ""c"""\r\n'
        b'3.000,3.500,"d\ne"\r\n'
    )


def test_csv_read_back_equals_the_cleaned_text_and_formulas_are_marked() -> None:
    def texts(made: TranscriptDocument) -> list[str]:
        found = csv.reader(io.StringIO(written(made, "csv").removeprefix("\ufeff"), newline=""))
        return [row[2] for row in found][1:]

    made = document(*NASTY)
    expected = [clean(text) for text in NASTY]
    assert texts(dataclasses.replace(made, formula_guard=False)) == expected
    assert texts(made) == ["'" + t if t[0] in "=-@" else t for t in expected]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\x00", "＝", "  ="])
def test_a_cell_that_a_spreadsheet_would_reckon_with_gets_an_apostrophe(start: str) -> None:
    assert guarded(f"{start}1") == f"'{start}1"


@pytest.mark.parametrize("cell", ["", "a=1", "1-2", "'=1", "…-"])
def test_any_other_cell_stays_as_it_is(cell: str) -> None:
    assert guarded(cell) == cell


def test_csv_shows_timecode_and_speakers_only_where_they_are_known() -> None:
    made = TranscriptDocument(
        "T",
        (ExportSegment(0, 1.04, "a", "=Ada"), ExportSegment(2, 3, "b")),
        timecode=Timecode.starting_at(Fraction(25), "10:00:00:00"),
    )
    assert written(made, "csv").splitlines() == [
        "\ufeffstart,end,text,start_tc,end_tc,speaker",
        "0.000,1.040,a,10:00:00:00,10:00:01:01,'=Ada",
        "2.000,3.000,b,10:00:02:00,10:00:03:00,",
    ]


def test_json_holds_everything_and_is_taken_back() -> None:
    words = (ExportWord(0.5, 0.9, "Hi", 0.5), ExportWord(0.9, 1.2, "you."))
    segments = (ExportSegment(0.5, 1.2, "Hi you.", "Ada", words), ExportSegment(2, 3, "漢字"))
    made = TranscriptDocument("T", segments, "ja", Timecode(Fraction(25)))
    found = json.loads(written(made, "json"))
    assert (found["title"], found["language"]) == ("T", "japanese")
    assert found["segments"][0]["words"][1] == {"start": 0.9, "end": 1.2, "text": "you."}
    assert found["segments"][0]["start_tc"] == "00:00:00:13"
    assert segments_of(found["segments"]) == segments
    assert "漢字" in written(made, "json")


def test_srt_and_vtt_are_written_exactly_so() -> None:
    segments = (
        ExportSegment(3599.9996, 360_000, "last & least", "A <b>"),
        ExportSegment(5, 5, "\nno\n\n \ntime\n"),
        ExportSegment(5, 6, "second of five"),
        ExportSegment(7, 8, " \n "),
    )
    made = TranscriptDocument("T", segments)
    assert written(made, "srt") == (
        "1\n00:00:05,000 --> 00:00:05,001\nno\ntime\n\n"
        "2\n00:00:05,000 --> 00:00:06,000\nsecond of five\n\n"
        "3\n01:00:00,000 --> 100:00:00,000\nA <b>: last & least\n\n"
    )
    assert written(made, "vtt") == (
        "WEBVTT\n\n"
        "00:00:05.000 --> 00:00:05.001\nno\ntime\n\n"
        "00:00:05.000 --> 00:00:06.000\nsecond of five\n\n"
        "01:00:00.000 --> 100:00:00.000\n<v A &lt;b&gt;>last &amp; least\n\n"
    )


@pytest.mark.parametrize("format_name", ["srt", "vtt"])
def test_subtitles_read_back_equal_the_cleaned_text_without_blank_lines(format_name: str) -> None:
    cues = cues_of(written(document(*NASTY), format_name), format_name)
    assert [text for _, _, text in cues] == [
        _as_written(without_blank_lines(clean(text)), format_name) for text in NASTY
    ]
    assert cues[0][:2] == ("00:00:01.000", "00:00:01.500")


def _as_written(text: str, format_name: str) -> str:
    if format_name == "vtt":
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"^(00:00:01,000 )-->", r"\1->", text)  # no text may look like a cue's times


@pytest.mark.parametrize(
    ("format_name", "empty"),
    [("txt", ""), ("csv", "\ufeffstart,end,text\r\n"), ("srt", ""), ("vtt", "WEBVTT\n\n")],
)
def test_no_segments_make_an_empty_file(format_name: str, empty: str) -> None:
    assert written(document(), format_name) == empty


@given(st.lists(st.text(), max_size=5))
def test_whatever_is_said_every_cue_comes_back(texts: list[str]) -> None:
    made = document(*texts)
    shown = [t for t in (without_blank_lines(clean(text)) for text in texts) if t]
    for format_name in ("srt", "vtt"):
        assert len(cues_of(written(made, format_name), format_name)) == len(shown)
    rows = csv.reader(io.StringIO(written(made, "csv").removeprefix("\ufeff"), newline=""))
    assert [row[2].removeprefix("'") for row in list(rows)[1:]] == [
        clean(text).removeprefix("'") for text in texts
    ]
