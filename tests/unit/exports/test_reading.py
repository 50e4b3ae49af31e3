"""Segments of a request: both forms, and what each mistake is told."""

from __future__ import annotations

import math
from typing import Any

import pytest

from api.exports.transcripts.document import ExportSegment, ExportWord
from api.exports.transcripts.segments import segments_of
from shared.errors import BadInput

GOOD = [0, "a", 1]


def test_lists_and_objects_mean_the_same() -> None:
    words = [[0.5, 1, "Hi,", 0.9], {"start": 1, "end": 1.5, "text": "Ada."}]
    expected = ExportSegment(
        0.5,
        1.5,
        "Hi, Ada.",
        "Bob",
        (ExportWord(0.5, 1.0, "Hi,", 0.9), ExportWord(1.0, 1.5, "Ada.", None)),
    )
    whole = {"start": 0.5, "end": 1.5, "text": "Hi, Ada.", "speaker": " Bob\n", "words": words}
    assert segments_of([whole]) == (expected,)
    assert segments_of([[0.5, "Hi, Ada.", 1.5]], [words], ["Bob"]) == (expected,)
    assert segments_of([GOOD, whole], [None, []], [None, None])[1].words == expected.words
    assert segments_of([]) == ()


def test_text_is_cleaned_and_a_minus_before_zero_is_gone() -> None:
    (segment,) = segments_of([[-0.0, "a\r\nb\x00\ud800\ufffe\tc", 0]])
    assert (math.copysign(1, segment.start), segment.text) == (1, "a\nb\tc")


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ([True, "a", 1], "segments[1].start: expected a number, not true or false."),
        ([0, "a", "1.0"], "segments[1].end: expected a number, not a string."),
        ([0, "a", None], "segments[1].end is required."),
        ([-1, "a", 1], "segments[1].start: expected a number >= 0.0."),
        ([math.nan, "a", 1], "segments[1].start: expected a number >= 0.0."),
        ([0, "a", math.inf], "segments[1].end: expected a number <= 10000000.0."),
        ([0, "a", 10**400], "segments[1].end: number out of range."),
        ([-(10**400), "a", 1], "segments[1].start: number out of range."),
        ([2, "a", 1.5], "segments[1] ends at 1.5 s, before it starts at 2 s. Give [start"),
        ([0, 1, 2], "segments[1].text: expected a string, not a whole number."),
        (
            [0, 1, "a"],
            "segments[1].text: expected a string, not a whole number. Give [start, text,",
        ),
        ([0, ["a"], 1], "segments[1].text: expected a string, not an array."),
        ([0, "a"], "segments[1] must be [start, text, end] or an object with start, end and text."),
        ([0, "a", 1, 2], "segments[1] must be [start, text, end] or an object"),
        ("text", "segments[1] must be [start, text, end] or an object with start, end and text."),
        (None, "segments[1] must be [start, text, end]"),
        ({"start": 0, "text": "a"}, "segments[1].end is required."),
        (
            {"start": 0, "end": 1, "text": 5},
            "segments[1].text: expected a string, not a whole number.",
        ),
        ({"start": 0, "end": 1, "text": "a", "speaker": 1}, "segments[1].speaker: expected a str"),
        ({"start": 0, "end": 1, "text": "a", "words": "a"}, "segments[1].words: expected an array"),
        (
            {"start": 0, "end": 1, "text": "a", "words": [[0, "a", 1]]},
            "segments[1].words[0].end: expected a number, not a string.",
        ),
        (
            {"start": 0, "end": 1, "text": "a", "words": [[0, 1]]},
            "segments[1].words[0] must be [start, end, text, probability]",
        ),
        (
            {"start": 0, "end": 1, "text": "a", "words": [[0, 1, "a", 1.5]]},
            "segments[1].words[0].probability: expected a number <= 1.0.",
        ),
        (
            {"start": 0, "end": 1, "text": "a", "words": [[0, 1, "a", 1, 1]]},
            "segments[1].words[0].doubtful: expected true or false, not a whole number.",
        ),
        (
            {"start": 0, "end": 1, "text": "a", "words": [{"start": 1, "end": 0, "text": "a"}]},
            "segments[1].words[0] ends at 0 s, before it starts at 1 s.",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(item: Any, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        segments_of([GOOD, item])
    assert refused.value.message.startswith(message)


def test_what_stands_beside_the_segments_has_an_entry_for_each() -> None:
    with pytest.raises(BadInput, match="words must have one entry for each of the 1 segments"):
        segments_of([GOOD], [])
    with pytest.raises(BadInput, match="speakers must have one entry"):
        segments_of([GOOD], None, ["A", "B"])
    with pytest.raises(BadInput, match=r"words\[0\] must be \[start, end, text"):
        segments_of([GOOD], [[7]])
    with pytest.raises(BadInput, match=r"segments\[0\]\.speaker: expected a string"):
        segments_of([GOOD], None, [7])
