"""The order of text in both directions, against another implementation of Unicode's algorithm."""

from __future__ import annotations

from bidi import get_display  # the Rust crate unicode-bidi, which shares nothing with our rules
from hypothesis import given
from hypothesis import strategies as st

from api.exports.transcripts.pdf.lines import levels, visual_order

CHARACTERS = "אב גabc 123٤٥ مرح ()[]{}«».,:-+%$!?/ש\u05b8\u064e\u0301日"


def shown(text: str, rtl: bool) -> str:
    found = levels(text, rtl=rtl)
    kept = len(text.rstrip(" "))
    found[kept:] = [int(rtl)] * (len(text) - kept)  # rule L1: blanks at a line's end
    return "".join(text[index] for index in visual_order(found))


@given(st.text(CHARACTERS, max_size=30), st.booleans())
def test_any_text_is_ordered_as_the_other_implementation_does(text: str, rtl: bool) -> None:
    assert shown(text, rtl) == get_display(text, base_dir="R" if rtl else "L")


def test_brackets_go_with_what_they_enclose() -> None:
    assert shown("אב cd (ef)", rtl=True) == "cd (ef) בא"
    assert shown("ab (גד)", rtl=False) == "ab (דג)"


def test_isolates_and_characters_newer_than_python_change_no_order() -> None:
    assert levels("a\u2067b\u2069c", rtl=False) == [0] * 5
    assert levels("אa\U0001e6c0\U000323b0", rtl=True)[1] == 2


def test_as_many_brackets_as_one_likes_are_no_trouble() -> None:
    assert levels("(" * 5000 + "א" + ")" * 5000, rtl=True) == [1] * 10001


def test_brackets_that_are_canonical_equivalents_belong_together() -> None:
    assert levels("א \u2329b\u3009 c", rtl=True) == [1, 1, 1, 2, 1, 1, 2]
