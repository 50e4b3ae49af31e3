"""Words into segments that read like sentences."""

from __future__ import annotations

import numpy as np
import pytest

from workers.analysis.speech.review import has_words, sentences, without_echoes
from workers.analysis.speech.segments import LONGEST_S, SegmentBuilder
from workers.analysis.speech.windows import Window
from workers.models.protocols import SAMPLE_RATE, SpokenWord, Utterance


def window(seconds: float = 60.0) -> Window:
    count = int(seconds * SAMPLE_RATE / 512)
    return Window(
        None,
        np.zeros(count * 512, np.float32),
        np.ones(count, np.float32),
        np.ones(count, np.bool_),
        np.arange(count),
    )


def spoken(text: str, start: float = 0.0, step: float = 0.4, glue: str = " ") -> Utterance:
    """Words of 0.3 s each, `step` apart."""
    words = tuple(
        SpokenWord(start + n * step, start + n * step + 0.3, word, 0.9)
        for n, word in enumerate(text.split())
    )
    whole = glue.join(word.text for word in words)
    return Utterance(words[0].start, words[-1].end, whole, words, -0.2, 1.0, 0.0)


def segments(*stretches: Utterance, language: str = "en") -> list[str]:
    builder = SegmentBuilder(None, language)
    for stretch in stretches:
        builder.add(stretch, window())
    return [segment.text for segment in builder.finish()]


def test_a_stretch_of_several_sentences_is_divided() -> None:
    assert segments(spoken("It rains. Do you hear it? Yes!")) == [
        "It rains.",
        "Do you hear it?",
        "Yes!",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Then Mr. Dashwood and Dr. J. Evans left.",
        "It costs 3.50 for e.g. two of them.",
        "He lives in St. Albans.",
        "We wait... and wait.",
    ],
)
def test_a_full_stop_within_a_sentence_does_not_end_it(text: str) -> None:
    assert segments(spoken(text)) == [text]


def test_quotation_marks_belong_to_their_sentence() -> None:
    assert segments(spoken('He said, "Go home!" Then he left.')) == [
        'He said, "Go home!"',
        "Then he left.",
    ]


def test_a_sentence_that_the_model_gave_in_two_stretches_is_one() -> None:
    assert segments(spoken("How much there might be"), spoken("in his power.", 2.1)) == [
        "How much there might be in his power."
    ]


def test_stretches_without_a_full_stop_are_segments() -> None:
    assert segments(spoken("And Action"), spoken("Cut", 1.0)) == ["And Action", "Cut"]


def test_a_long_pause_ends_a_segment_within_a_sentence() -> None:
    assert segments(spoken("He was young,"), spoken("unless you ask me.", 3.0)) == [
        "He was young,",
        "unless you ask me.",
    ]


def test_small_letters_after_a_full_stop_and_a_breath_begin_a_segment() -> None:
    assert segments(spoken("He was."), spoken("he might.", 1.3)) == ["He was.", "he might."]


def test_a_long_sentence_is_divided_at_a_comma_or_a_breath() -> None:
    text = " ".join(["word"] * 30 + ["so,"] + ["and"] * 25)
    found = segments(spoken(text))
    assert len(found) == 2
    assert found[0].endswith("so,")
    builder = SegmentBuilder(None, "en")
    builder.add(spoken(" ".join(["word"] * 140)), window())
    assert all(s.end - s.start <= LONGEST_S for s in builder.finish())


def test_languages_without_spaces_are_written_without() -> None:
    first = spoken("今日 は 晴れ です。", glue="")
    second = spoken("明日 は 雨 です。", 2.0, glue="")
    assert segments(first, second, language="ja") == ["今日は晴れです。", "明日は雨です。"]


def test_the_text_is_written_as_the_model_wrote_it() -> None:
    words = tuple(
        SpokenWord(n * 0.4, n * 0.4 + 0.3, word, 0.9)
        for n, word in enumerate(("It's", "half-", "past."))
    )
    heard = Utterance(0.0, 1.1, "It's half-past.", words, -0.2, 1.0, 0.0)
    assert segments(heard) == ["It's half-past."]


def test_a_stretch_without_words_is_kept_as_a_whole() -> None:
    heard = Utterance(1.0, 3.0, " Good morning. ", (), -0.2, 1.0, 0.0)
    builder = SegmentBuilder(4, "en")
    builder.add(heard, window())
    (segment,) = builder.finish()
    assert (segment.start, segment.end, segment.text, segment.stream) == (
        1.0,
        3.0,
        "Good morning.",
        4,
    )


def test_words_of_neighbours_never_overlap() -> None:
    builder = SegmentBuilder(None, "en")
    builder.add(spoken("One two three."), window())
    builder.add(spoken("Four five six.", 0.9), window())
    times = [(w.start, w.end) for s in builder.finish() for w in s.words]
    flat = [time for pair in times for time in pair]
    assert flat == sorted(flat)


def test_sentences_of_a_stretch_keep_all_of_its_text_and_words() -> None:
    whole = spoken("It rains. Do you hear it? Yes!")
    parts = list(sentences(whole))
    assert [part.text for part in parts] == ["It rains.", "Do you hear it?", "Yes!"]
    assert tuple(word for part in parts for word in part.words) == whole.words
    assert [part.start for part in parts] == [part.words[0].start for part in parts]
    assert list(sentences(parts[0])) == [parts[0]]


def test_marks_alone_are_no_words() -> None:
    assert not has_words(spoken("... ♪ !"))
    assert has_words(spoken("好"))


def test_an_unlikely_first_word_is_an_echo_only_right_after_a_word_and_before_a_pause() -> None:
    first = spoken("He was.")
    for gap, probability, pause, is_echo in (
        (0.0, 0.04, 0.5, True),
        (0.5, 0.04, 0.5, False),
        (0.0, 0.5, 0.5, False),
        (0.0, 0.04, 0.1, False),
    ):
        at = first.end + gap
        words = (
            SpokenWord(at, at + 0.2, "us.", probability),
            SpokenWord(at + 0.2 + pause, at + 0.6 + pause, "He", 0.9),
        )
        kept, echoes = without_echoes(
            [first, Utterance(at, words[1].end, "us. He", words, -0.5, 1.0, 0.1)]
        )
        assert [echo.text for echo in echoes] == (["us."] if is_echo else [])
        assert kept[1].text == ("He" if is_echo else "us. He")
