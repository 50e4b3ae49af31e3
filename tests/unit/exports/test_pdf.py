"""PDFs of transcripts: pages, times, odd text, and that the same input gives the same bytes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
import unicodedata
from fractions import Fraction

import pypdf
import pytest

from api.exports.transcripts.document import ExportSegment, TranscriptDocument
from api.exports.transcripts.pdf.writer import pdf_bytes
from shared.timecode import Timecode
from tests.support.exports.pdf_pages import (
    glyphs_drawn,
    lines_by_pdfium,
    lines_by_pypdf,
    one_segment,
)
from tests.support.running.long_form import by_form

LOREM = "The quick brown fox jumps over the lazy dog while nobody is looking at it at all. "


def document(*texts: str, title: str = "A title", timestamps: bool = True) -> TranscriptDocument:
    segments = tuple(ExportSegment(n, n + 0.5, text) for n, text in enumerate(texts))
    return TranscriptDocument(title, segments, timestamps=timestamps)


def opened(content: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(content), strict=True)


def test_a_transcript_without_segments_is_its_title() -> None:
    rendered = pdf_bytes(document())
    assert lines_by_pdfium(rendered.content) == ["A title", "1 / 1"]
    assert rendered.warnings == ()


def test_each_segment_has_its_time_beside_it() -> None:
    lines = lines_by_pdfium(pdf_bytes(document("One.", "Two.")).content)
    assert lines[1:3] == [
        "[00:00:00.000 - 00:00:00.500] One.",
        "[00:00:01.000 - 00:00:01.500] Two.",
    ]


def test_times_may_be_timecode_or_left_out() -> None:
    segments = (ExportSegment(1, 2, "Hi", speaker="Ada"),)
    timecode = TranscriptDocument("T", segments, timecode=Timecode(Fraction(25)))
    assert lines_by_pdfium(pdf_bytes(timecode).content)[1] == "[00:00:01:00 - 00:00:02:00] Ada: Hi"
    plain = TranscriptDocument("T", segments, timestamps=False)
    assert lines_by_pdfium(pdf_bytes(plain).content)[1] == "Ada: Hi"


def test_right_to_left_segments_stand_at_the_right_under_their_time() -> None:
    content = pdf_bytes(document("Latin", "שלום עולם")).content
    assert lines_by_pdfium(content)[1:4] == [
        "[00:00:00.000 - 00:00:00.500] Latin",
        "[00:00:01.000 - 00:00:01.500]",
        "שלום עולם",
    ]
    places: dict[str, float] = {}

    def visit(text: str, _matrix: object, place: list[float], *_more: object) -> None:
        if text.strip():
            places.setdefault(text.strip(), place[4])

    opened(content).pages[0].extract_text(visitor_text=visit)
    (latin,) = (x for text, x in places.items() if text.endswith("Latin"))
    (hebrew,) = (x for text, x in places.items() if text.startswith("שלום"))
    assert hebrew > 400 > latin


def test_segments_flow_over_pages_and_pages_are_numbered() -> None:
    content = pdf_bytes(document(*[f"{n}. {LOREM * 3}" for n in range(60)])).content
    pages = len(opened(content).pages)
    assert pages > 3
    for page in range(pages):
        assert lines_by_pdfium(content, page)[-1] == f"{page + 1} / {pages}"
    together = " ".join(line for page in range(pages) for line in lines_by_pdfium(content, page))
    for number in range(60):
        assert f"{number}. The quick brown fox" in together


def test_one_segment_may_be_longer_than_a_page() -> None:
    content = pdf_bytes(document(LOREM * 100)).content
    lines = [
        line
        for page in range(len(opened(content).pages))
        for line in lines_by_pdfium(content, page)[:-1]
    ]
    assert " ".join(lines).count(LOREM.strip()) == 100


def test_long_lines_break_between_words_and_too_long_words_anywhere() -> None:
    lines = lines_by_pdfium(one_segment(LOREM * 2 + "x" * 200))[1:-1]
    assert "".join(lines[-3:]).endswith("x" * 100)
    for line in lines[:-3]:
        assert line.split()[-1] in LOREM


def test_text_without_spaces_breaks_where_its_script_allows() -> None:
    chinese = "今天天气很好，我们去公园散步吧。" * 8
    lines = lines_by_pdfium(one_segment(chinese))[1:-1]
    assert len(lines) > 2
    assert "".join(lines) == chinese
    assert not [line for line in lines if line[0] in "，。"]
    thai = "วันนี้อากาศดีมากและเราจะไปเดินเล่นที่สวนสาธารณะด้วยกัน" * 6
    lines = lines_by_pdfium(one_segment(thai))[1:-1]
    assert len(lines) > 2
    assert "".join(lines) == thai
    words = ("วันนี้", "อากาศ", "มาก", "และ", "เรา", "ไป", "เดินเล่น", "ที่", "สวนสาธารณะ", "ด้วย")
    assert all(line.startswith((*words, "ดี", "จะ", "เดิน", "เล่น", "สวน", "กัน")) for line in lines)


def test_markup_formulas_and_newlines_are_what_they_are() -> None:
    lines = lines_by_pdfium(one_segment("<b>&amp;\n=1+1\ttab <img src='file:///etc/passwd'>"))
    assert lines[1] == "<b>&amp;"
    assert lines[2].split() == ["=1+1", "tab", "<img", "src='file:///etc/passwd'>"]


def test_what_no_font_shows_is_a_replacement_character_with_a_warning() -> None:
    rendered = pdf_bytes(document("a\ue000b \U0001242f", timestamps=False))
    assert lines_by_pdfium(rendered.content)[1] == "a\ufffdb \ufffd"
    assert rendered.warnings == ("No font of the PDF shows U+E000, U+1242F: shown as U+FFFD.",)
    many = pdf_bytes(document("".join(map(chr, range(0xE000, 0xE020)))))
    assert many.warnings[0].endswith("U+E009 and 22 more: shown as U+FFFD.")
    assert 0 not in glyphs_drawn(many.content)


def test_emoji_are_drawn_in_outline_and_read_as_they_were() -> None:
    text = "Fine 😀 👍🏽 👨‍👩‍👧 ❤️ 🇫🇷 1️⃣ 2 ♪"
    content = one_segment(text)
    assert lines_by_pdfium(content)[1] == text
    assert 0 not in glyphs_drawn(content)
    around = len(glyphs_drawn(one_segment("")))
    assert len(glyphs_drawn(one_segment("👍🏽👨‍👩‍👧🇫🇷1️⃣"))) == around + 4


def test_more_syllables_than_a_font_has_codes_take_another_font() -> None:
    marks = [chr(0x300 + n) for n in range(60)]
    syllables = [a + m + n for a in "abcdefghijk" for m in marks for n in marks]
    texts = [" ".join(syllables[start : start + 40]) for start in range(0, len(syllables), 40)]
    content = pdf_bytes(document(*texts, timestamps=False)).content
    reader = opened(content)
    fonts = reader.pages[0]["/Resources"]["/Font"].values()
    names = [font.get_object()["/BaseFont"].partition("+")[2] for font in fonts]
    assert names.count("NotoSans") == 2
    last = lines_by_pdfium(content, len(reader.pages) - 1)[-2]
    assert unicodedata.normalize("NFC", last.split()[-1]) == unicodedata.normalize(
        "NFC", syllables[-1]
    )


def test_threads_that_make_pdfs_at_the_same_time_do_not_meet() -> None:
    program = (
        "from concurrent.futures import ThreadPoolExecutor as Pool; "
        "from api.exports.transcripts.pdf.writer import pdf_bytes; "
        "from tests.unit.exports.test_pdf import document; "
        "made = document('Hi שלום (x)', '日本 हिन्दी 12', 'ไทย 😀 ١٢'); "
        "print(len(set(Pool(8).map(pdf_bytes, [made] * 16))))"
    )
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, capture_output=True, check=True).stdout.strip() == b"1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \t ",
        "\n\n",
        "\u200d\ufe0f\u200b",
        "\u0301",
        "e" + "\u0301" * 500,
        "ש" + "\u05b8" * 500,
        "ب" * 1000,
        "x" * 10_000,
        "(" * 3000 + "א",
        "\u202eabc\u2067def",
        "ᄒ\u1161\u11ab 〱 ㎏ 𠮷 か\u3099",
        "বাংলা ગુજરાતી ਪੰਜਾਬੀ தமிழ் తెలుగు ಕನ್ನಡ മലയാളം සිංහල ລາວ ខ្មែរ မြန်မာ ქართული Հայերեն አማርኛ",
    ],
    ids=range(13),
)
def test_odd_text_makes_a_file_that_readers_open(text: str) -> None:
    content = pdf_bytes(document(text, title=text.replace("\n", " ")[:255] or "T")).content
    assert opened(content).pages[0].extract_text()
    assert lines_by_pdfium(content)
    assert 0 not in glyphs_drawn(content)


def test_times_of_any_size_and_long_titles_fit_somehow() -> None:
    segments = (ExportSegment(0, 1e300, "x"), ExportSegment(0, 1e300, "שלום"))
    content = pdf_bytes(TranscriptDocument("M " * 127, segments)).content
    assert opened(content).pages


def test_metadata_is_ours_and_dates_are_fixed() -> None:
    found = opened(pdf_bytes(document("Hi", title="Title <&> 日本")).content).metadata
    assert found is not None
    assert found.title == "Title <&> 日本"
    assert (found.creator, found.producer) == ("Rushes", "Rushes")
    assert found.creation_date is not None
    assert found.creation_date.year == 2000


def test_only_what_is_used_of_a_font_is_embedded() -> None:
    latin = pdf_bytes(document(LOREM)).content
    assert len(latin) < 40_000
    japanese = pdf_bytes(document("日本語の字幕")).content
    assert len(japanese) < 200_000
    fonts = opened(japanese).pages[0]["/Resources"]["/Font"]
    embedded = [font.get_object() for name, font in fonts.items() if name.startswith("/T")]
    assert len(embedded) == 2
    for font in embedded:
        assert font["/BaseFont"][7:8] == "+"  # the mark of a subset
        assert "/ToUnicode" in font


def test_the_same_document_gives_the_same_bytes_in_every_process() -> None:
    program = (
        "import hashlib; from api.exports.transcripts.pdf.writer import pdf_bytes; "
        "from tests.unit.exports.test_pdf import document; "
        "print(hashlib.sha256(pdf_bytes(document('Hi שלום', '日本 हिन्दी', 'ไทย 😀')).content)"
        ".hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_twenty_thousand_segments_take_less_than_half_a_minute() -> None:
    """The short form has a tenth of them, in a tenth of the time."""
    count = by_form(short=2_000, long=20_000)
    words = (LOREM * 2).split()
    texts = [" ".join([*words[n % 9 : n % 9 + 11], str(n)]) for n in range(count)]
    start = time.process_time()
    content = pdf_bytes(document(*texts)).content
    assert time.process_time() - start < 30 * count / 20_000
    assert lines_by_pypdf(content)[1].startswith("[00:00:00.000 - 00:00:00.500] The quick")
