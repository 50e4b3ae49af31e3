"""Every script in a PDF: what is drawn, against another renderer, and what readers read.

The other renderer is Pillow with raqm (HarfBuzz, FriBidi and FreeType of its own), which sets the
whole line at once. Pages are rendered by pdfium.
"""

from __future__ import annotations

import re
import unicodedata
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont, features

from tests.support.exports.pdf_pages import (
    SCALE,
    TEXT_SIZE,
    cut_to_ink,
    glyphs_drawn,
    lines_by_pdfium,
    lines_by_pypdf,
    one_segment,
    picture_of_first_line,
)

# One line each: (text, font, direction). Shaping and order matter in the lower half.
SCRIPTS = {
    "Latin": ("Office affluent: naïve łódź ťažký “x” – <b>&amp;", "NotoSans", "ltr"),
    "Greek": ("Καλημέρα κόσμε, τι κάνεις; Ἀθῆναι", "NotoSans", "ltr"),
    "Cyrillic": ("Съешь же ещё этих булок, їжак", "NotoSans", "ltr"),
    "Chinese": ("今天天气很好，我们去公园散步吧。", "cjk2", "ltr"),
    "Japanese": ("日本語の字幕で、漢字とカタカナが直る。", "cjk0", "ltr"),
    "Korean": ("안녕하세요 오늘 날씨가 정말 좋네요", "cjk1", "ltr"),
    "Arabic": ("مرحبا بالعالم، هذا نص ثم السَّلام لا إله ١٢٣", "NotoSansArabic", "rtl"),
    "Hebrew": ("שלום עולם שָׁלוֹם זה טקסט", "NotoSansHebrew", "rtl"),
    "Hindi": ("हिन्दी क्षत्रिय ज्ञान र्क श्रृंखला विद्यार्थी किं", "NotoSansDevanagari", "ltr"),
    "Thai": ("สวัสดี น้ำใจ ที่นี่ กำลัง เปี่ยม ผู้ใหญ่บ้าน ปู่", "NotoSansThai", "ltr"),
}
# What goes wrong without shaping, or in the order of the characters.
SHAPED = ("Arabic", "Hebrew", "Hindi", "Thai")


def other_picture(name: str, text: str, direction: str, *switches: str) -> Image.Image:
    """The same text by Pillow. `switches`: OpenType features off; "basic" is no shaping at all."""
    if name.startswith("cjk"):
        path, index = files("manimgx_fonts_cjk") / "NotoSansCJK-VF.otf.ttc", int(name[3:])
    else:
        path, index = files("manimgx_fonts") / f"{name}[wght].ttf", 0
    basic = "basic" in switches
    engine = ImageFont.Layout.BASIC if basic else ImageFont.Layout.RAQM
    size = round(TEXT_SIZE * SCALE)
    font = ImageFont.truetype(str(path), size, index=index, layout_engine=engine)
    font.set_variation_by_axes([400])
    picture = Image.new("L", (size * len(text) + 400, size * 3))
    shaping = {} if basic else {"direction": direction, "features": ["-liga", "-clig", *switches]}
    ImageDraw.Draw(picture).text((200, size), text, fill=255, font=font, **shaping)
    return cut_to_ink(picture)


def likeness(ours: Image.Image, other: Image.Image) -> float:
    """Correlation of two slightly blurred pictures, drawn to one size. 1: the same."""
    arrays = [
        np.asarray(each.resize(ours.size).filter(ImageFilter.GaussianBlur(2)), dtype=float)
        for each in (ours, other)
    ]
    return float(np.corrcoef(arrays[0].ravel(), arrays[1].ravel())[0, 1])


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_line_looks_as_another_renderer_draws_it(script: str) -> None:
    assert features.check("raqm"), "Pillow's wheel shapes text"
    text, font, direction = SCRIPTS[script]
    ours = picture_of_first_line(one_segment(text))
    other = other_picture(font, text, direction)
    assert ours.width == pytest.approx(other.width, rel=0.01)
    assert ours.height == pytest.approx(other.height, abs=SCALE)
    assert likeness(ours, other) > 0.95


@pytest.mark.parametrize("script", SHAPED)
def test_that_likeness_tells_unshaped_or_reversed_text_apart(script: str) -> None:
    text, font, direction = SCRIPTS[script]
    ours = picture_of_first_line(one_segment(text))
    unshaped = other_picture(font, text, direction, "basic")
    reversed_text = other_picture(font, text[::-1], direction)
    assert likeness(ours, unshaped) < 0.8
    assert likeness(ours, reversed_text) < 0.8


def test_arabic_letters_that_are_not_joined_would_be_seen() -> None:
    text, font, direction = SCRIPTS["Arabic"]
    ours = picture_of_first_line(one_segment(text))
    isolated = other_picture(font, text, direction, "-init", "-medi", "-fina", "-rlig")
    assert abs(ours.width / isolated.width - 1) > 0.05 or likeness(ours, isolated) < 0.8


@pytest.mark.parametrize("script", SCRIPTS)
def test_readers_of_pdfs_find_the_text_that_was_given(script: str) -> None:
    text, _, _ = SCRIPTS[script]
    content = one_segment(text)
    # pdfium may change the order of two marks on one letter, which stays the same text.
    assert unicodedata.normalize("NFC", lines_by_pdfium(content)[1]) == unicodedata.normalize(
        "NFC", text
    )
    if script != "Arabic":  # pypdf turns Arabic digits around
        assert lines_by_pypdf(content)[1] == text


def test_right_to_left_text_with_latin_numbers_and_brackets_reads_in_order() -> None:
    text = "אני (Ada) בת 36, גרה ברחוב 12-34 [קומה 5]."
    content = one_segment(text)
    assert lines_by_pypdf(content)[1] == text
    # pdfium guesses where signs between the two directions belong, and mirrors brackets.
    assert re.findall(r"\w+", lines_by_pdfium(content)[1]) == re.findall(r"\w+", text)


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_glyph_is_the_one_for_unknown_characters(script: str) -> None:
    glyphs = glyphs_drawn(one_segment(SCRIPTS[script][0]))
    assert glyphs
    assert 0 not in glyphs
