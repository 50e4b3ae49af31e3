"""Which words of a transcript are marked as doubtful; none is changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shared.cache.transcripts import Segment
from tests.support.fake_models import FakeTranscriber, FakeVoiceDetector, said
from workers.analysis.speech.transcribing import SURE_WORD, UNLIKELY_WORD, marked, transcribe
from workers.media.sound.sound_reader import SoundBlock
from workers.models.protocols import SpokenWord, Utterance


def spoken(text: str, probability: float = 0.7) -> Utterance:
    words = tuple(SpokenWord(n, n + 0.5, word, probability) for n, word in enumerate(text.split()))
    return Utterance(0, len(words), text, words, -0.2, 1.0, 0.0)


def doubted(*texts: Utterance) -> list[str]:
    return [word.text for spoken in texts for word in spoken.words if word.doubtful]


def test_what_another_model_hears_otherwise_is_doubtful() -> None:
    first = [spoken("Shivonga Liger, drove down"), spoken("to Kestrelhaven.")]
    second = [spoken("Siobhan Gallagher drove -- Down to kestrelhaven")]
    looked_at = marked(first, lambda: second)
    assert doubted(*looked_at) == ["Shivonga", "Liger,"]
    assert [each.text for each in looked_at] == [each.text for each in first]


def test_a_word_that_was_left_out_or_added_by_the_other_shifts_no_doubt() -> None:
    assert doubted(*marked([spoken("a twenty-one b c")], lambda: [spoken("a b x c")])) == [
        "twenty-one"
    ]


def test_a_word_that_is_sure_is_not_doubted_whatever_the_other_hears() -> None:
    heard = spoken("We are rolling.")
    sure = replace(heard.words[1], probability=SURE_WORD)
    heard = replace(heard, words=(heard.words[0], sure, heard.words[2]))
    assert doubted(*marked([heard], lambda: [spoken("We were bowling.")])) == ["rolling."]


def test_a_text_that_is_sure_needs_no_second_look() -> None:
    def never() -> list[Utterance]:
        raise AssertionError

    sure = [spoken("We are rolling.", SURE_WORD)]
    assert marked(sure, never) == sure


def test_without_another_model_unlikely_words_are_doubtful() -> None:
    first = spoken("We are rolling.")
    less = replace(first.words[1], probability=UNLIKELY_WORD - 0.01)
    unsure = replace(first, words=(first.words[0], less, first.words[2]))
    assert doubted(*marked([unsure], None)) == ["are"]
    assert doubted(*marked([unsure], None, ["We are"])) == [], "of a name it tells little"


def segments(language: str, second: FakeTranscriber | None) -> tuple[Segment, ...]:
    def mishear(_piece: object, heard: list[Utterance], _cautious: bool) -> list[Utterance]:
        return [
            replace(each, words=tuple(replace(word, probability=0.8) for word in each.words))
            for each in heard
        ]

    sound = said([(1, "Alpha"), (2, "bravo"), (3, "charlie")], 6)
    return transcribe(
        [SoundBlock(None, 0, sound)],
        FakeTranscriber(mishears=mishear),
        FakeVoiceDetector,
        language=language,
        call=lambda work: work(),
        heard=lambda _seconds: None,
        vocabulary=("Ada",),
        second=second,
    ).segments


def deaf(piece: np.ndarray, heard: list[Utterance], _cautious: bool) -> list[Utterance]:
    """Hears the second word otherwise."""
    return [spoken("Alpha beta charlie")]


def test_doubts_are_kept_with_the_segment_and_both_models_are_told_the_same_names() -> None:
    second = FakeTranscriber(mishears=deaf)
    [segment] = segments("en", second)
    assert [segment.words[n].text for n in segment.doubtful] == ["bravo"]
    assert second.vocabularies == [("Ada",)]


def test_a_second_model_that_does_not_know_the_language_is_not_asked() -> None:
    second = FakeTranscriber(mishears=deaf)
    second.languages = frozenset({"de"})
    [segment] = segments("en", second)
    assert (segment.doubtful, second.pieces) == ((), [])
