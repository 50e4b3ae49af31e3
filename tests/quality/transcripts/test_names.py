"""Names that the default speech model is told of are spelt right, and written nowhere else.

Some of the 60 clips on which docs/limits.md states its figures; measure_names.py takes them all.
"""

from __future__ import annotations

import pytest

from tests.quality.transcripts.names_material import (
    NAMES,
    SENTENCES,
    WRONG_NAMES,
    inserted,
    names_clip,
)
from tests.quality.transcripts.speech_material import PLAIN, VOICES, hear, passage
from tests.support.media.speech import Said
from tests.support.running.long_form import by_form
from tests.support.search.word_errors import WordErrors, word_errors
from tests.support.skip_or_fail import fetched_or_skipped

pytestmark = [pytest.mark.quality, pytest.mark.timeout(300)]

WANTED, WANTED_OF_PLAIN = 0.2, 0.05  # word error rates


def clips(count: int) -> list[Said]:
    """Each another sentence, the voices in turn."""
    with fetched_or_skipped():
        return [names_clip(n % len(VOICES) * len(SENTENCES) + n) for n in range(count)]


def test_names_that_are_told_have_few_word_errors() -> None:
    total = WordErrors(0, 0)
    for said in clips(by_form(short=6, long=10)):
        total += word_errors(said.text, hear(said.pcm, "en", vocabulary=NAMES).text)
    print(f"names: word error rate {total.rate:.3f} of {total.words} words")
    assert total.rate <= WANTED


def test_names_that_nobody_says_are_not_written() -> None:
    for said in clips(by_form(short=2, long=4)):
        text = hear(said.pcm, "en", vocabulary=WRONG_NAMES).text
        assert inserted(said.text, text, WRONG_NAMES) == set()


def test_plain_speech_has_few_word_errors_beside_a_vocabulary() -> None:
    with fetched_or_skipped():
        said = passage(PLAIN[:6], VOICES[0])
    assert word_errors(said.text, hear(said.pcm, "en", vocabulary=NAMES).text).rate <= (
        WANTED_OF_PLAIN
    )
