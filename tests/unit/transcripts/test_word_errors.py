"""The word error rate that quality is stated in: what counts as an error and what does not."""

from __future__ import annotations

import pytest

from tests.support.search.word_errors import WordErrors, normalised, word_errors


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Mr. Dashwood’s cold-hearted son,", "mister dashwoods cold hearted son"),
        ("twenty-one men in nineteen eighty-four", "21 men in 1984"),
        ("one thousand two hundred and five", "1205"),
        ("1,984 feet; $5; 50%", "1984 feet 5 50 percent"),
        ("one and two", "1 and 2"),
        ("two million three hundred thousand", "2300000"),
        ("one two three", "1 2 3"),
        ("my neighbours' grey house", "my neighbors gray house"),
        ("über 3.5 Jahre", "über 3.5 jahre"),
    ],
)
def test_what_is_written_differently_but_said_alike_counts_as_the_same(
    text: str, words: str
) -> None:
    assert normalised(text) == words.split()


def test_a_wrong_a_missing_and_an_added_word_are_one_error_each() -> None:
    assert word_errors("the cat sat down", "the hat sat down") == WordErrors(1, 4)
    assert word_errors("the cat sat down", "the sat down") == WordErrors(1, 4)
    assert word_errors("the cat sat down", "the big cat sat down") == WordErrors(1, 4)
    assert word_errors("the cat", "").rate == 1
    assert (WordErrors(1, 4) + WordErrors(0, 6)).rate == 0.1
