"""The default speech model hears what is said, when, in which language, and nothing else."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable

import numpy as np
import pytest

from cli.demo.samples import fetch_samples
from tests.quality.transcripts.speech_material import (
    GERMAN,
    NAMES_AND_NUMBERS,
    NO_SPEECH,
    PLAIN,
    SPANISH,
    VOICES,
    Outcome,
    Pcm,
    band,
    footsteps,
    hear,
    hear_file,
    hum,
    passage,
    pink_noise,
)
from tests.support.lite_models import speech_model
from tests.support.media.photos import SAMPLES
from tests.support.media.speech import RATE, Said, recorded_speech, spoken, together
from tests.support.running.long_form import by_form
from tests.support.search.word_errors import WordErrors, normalised, word_errors
from tests.support.skip_or_fail import fetched_or_skipped
from workers.analysis.speech.transcribing import SpeechNotUnderstood

# The first run downloads 160 MB.
pytestmark = [pytest.mark.quality, pytest.mark.timeout(600)]

WANTED = 0.05  # word error rate
WANTED_OF_NAMES = 0.15
TAKES = by_form(short=4, long=8)
LATE_S = 0.5  # of a word or segment against the truth
SOME_VOICES = by_form(short=VOICES[:2], long=VOICES)
SENTENCES = by_form(short=PLAIN[:6], long=PLAIN)
WORDS = ("Okay.", "Thank you.", "Cut!", "Action!", "Stop.")
SOME_SOUNDS = by_form(
    short=(
        *("silence", "a band", "loud white noise", "wind", "footsteps"),
        *("bursts of noise 0", "bursts of a pitch 0", "bursts of a pitch 1"),
    ),
    long=tuple(NO_SPEECH),
)


@functools.cache
def made(sentences: tuple[str, ...], voice: str) -> tuple[Said, Outcome]:
    """Sentences and what is heard, by a model that is not told their language."""
    with fetched_or_skipped():
        said = passage(sentences, voice)
    return said, hear(said.pcm)


@pytest.fixture(scope="module")
def recorded() -> list[Said]:
    with fetched_or_skipped():
        return recorded_speech()


def right_words(truth: str, found: str) -> int:
    """How many words of the truth are found, in order."""
    matcher = difflib.SequenceMatcher(None, normalised(truth), normalised(found), autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks())


def test_english_by_several_voices_with_pauses_has_few_word_errors() -> None:
    total = WordErrors(0, 0)
    for voice in SOME_VOICES:
        said, outcome = made(SENTENCES, voice)
        errors = word_errors(said.text, outcome.text)
        print(f"{voice}: word error rate {errors.rate:.3f}")
        assert errors.rate <= WANTED
        total += errors
    print(f"all voices: {total.rate:.3f} of {total.words} words")


def test_recorded_sentences_have_few_word_errors(recorded: list[Said]) -> None:
    said = together(part for sentence in recorded for part in (sentence, 0.8))
    errors = word_errors(said.text, hear(said.pcm).text)
    print(f"recorded: word error rate {errors.rate:.3f} of {errors.words} words")
    assert errors.rate <= WANTED


def test_names_and_numbers_are_mostly_right() -> None:
    total = WordErrors(0, 0)
    for voice in by_form(short=VOICES[:1], long=VOICES[:2]):
        said, outcome = made(NAMES_AND_NUMBERS, voice)
        total += word_errors(said.text, outcome.text)
    print(f"names and numbers: word error rate {total.rate:.3f} of {total.words} words")
    assert total.rate <= WANTED_OF_NAMES


@pytest.mark.parametrize("voice", SOME_VOICES)
def test_words_lie_within_half_a_second_of_where_they_are_said(voice: str) -> None:
    said, outcome = made(SENTENCES, voice)
    truth = [(normalised(word.text), word.start) for word in said.words]
    found = [(normalised(word.text), word.start) for word in outcome.words]
    matcher = difflib.SequenceMatcher(
        None, [str(text) for text, _ in truth], [str(text) for text, _ in found], autojunk=False
    )
    late = [
        found[b.b + number][1] - truth[b.a + number][1]
        for b in matcher.get_matching_blocks()
        for number in range(b.size)
    ]
    assert len(late) > 0.8 * len(truth)
    worst, middle = max(map(abs, late)), float(np.median(np.abs(late)))
    print(f"{voice}: {len(late)} words, {middle:.2f} s off in the median, {worst:.2f} s at most")
    # Processors round int8 differently: on one of two that were tried a single word is 0.51 s off.
    assert sorted(map(abs, late))[-2] <= LATE_S
    assert worst <= 1.1 * LATE_S


@pytest.mark.parametrize("voice", SOME_VOICES)
def test_each_sentence_is_a_segment_that_begins_where_it_is_said(voice: str) -> None:
    said, outcome = made(SENTENCES, voice)
    starts = [segment.start for segment in outcome.heard.segments]
    for begin in said.begins:
        assert min(abs(start - begin) for start in starts) <= LATE_S


@pytest.mark.parametrize("sound", SOME_SOUNDS)
def test_where_nobody_speaks_there_is_no_text(sound: str) -> None:
    outcome = hear(NO_SPEECH[sound]())
    assert outcome.text == ""


def test_a_film_with_music_and_noises_has_no_text() -> None:
    with fetched_or_skipped():
        film = next(p for p in fetch_samples(SAMPLES).footage if p.name == "bbb.mp4")
    assert hear_file(film, speech_model()).text == ""


@pytest.mark.parametrize("voice", SOME_VOICES)
@pytest.mark.parametrize(
    "word",
    [pytest.param(WORDS[0], marks=pytest.mark.short), *by_form(short=WORDS[1:3], long=WORDS[1:])],
)
def test_a_word_alone_in_a_file_is_not_lost(word: str, voice: str) -> None:
    with fetched_or_skipped():
        said = together([0.5, spoken(word, voice, 150), 1.0])
    outcome = hear(said.pcm, "en")
    assert outcome.text
    assert outcome.heard.segments[0].start == pytest.approx(0.5, abs=LATE_S)


def test_takes_of_one_line_are_all_heard() -> None:
    with fetched_or_skipped():
        line = spoken("We will meet again at the old bridge.", "en-us", 150)
    said = together(part for _ in range(TAKES) for part in (line, 0.8))
    assert word_errors(said.text, hear(said.pcm, "en").text).rate <= WANTED


def test_takes_of_a_line_that_repeats_itself_are_no_loop() -> None:
    """How the voice's "no" is spelt ("Oh"), and its "meant", depends on tiny things."""
    with fetched_or_skipped():
        line = spoken("No, no, no, that is not what I meant.", "en-us", 150)
    said = together(part for _ in range(TAKES) for part in (line, 0.8))
    assert hear(said.pcm, "en").text.count("not what I mean") == TAKES


def test_a_sentence_in_german_is_no_english_nonsense() -> None:
    """By a model that knows English alone and was told no language."""
    with fetched_or_skipped():
        german = together([0.5, spoken("Guten Morgen, wie geht es Ihnen?", "de", 150), 0.8])
        english = together([0.5, spoken("Good morning, how are you?", "en-us", 150), 0.8])
    with pytest.raises(SpeechNotUnderstood, match="understands English alone"):
        hear(german.pcm, model="whisper-tiny.en")
    heard = hear(english.pcm, model="whisper-tiny.en").text
    assert word_errors("Good morning, how are you?", heard).errors == 0


BETWEEN: dict[str, Callable[[], Pcm]] = {
    "long pauses": lambda: np.zeros(12 * RATE, np.float32),
    "pink noise": lambda: pink_noise(6, 0.05),
    "music": lambda: band(6) * 0.5,
    "hum": lambda: hum(6),
    "footsteps": lambda: footsteps(6),
}


@pytest.mark.parametrize("between", by_form(short=("pink noise", "music"), long=tuple(BETWEEN)))
def test_no_word_of_real_speech_is_lost_to_the_guard(between: str, recorded: list[Said]) -> None:
    filler = Said(BETWEEN[between](), "")
    said = together(part for sentence in recorded for part in (filler, sentence))
    outcome = hear(said.pcm, "en")
    for warning in outcome.heard.warnings:
        print(warning)
    assert right_words(said.text, outcome.text) >= right_words(said.text, outcome.first_text)
    assert word_errors(said.text, outcome.text).rate <= WANTED


def test_no_word_of_made_speech_is_lost_to_the_guard() -> None:
    for voice in SOME_VOICES:
        said, outcome = made(SENTENCES, voice)
        assert right_words(said.text, outcome.text) >= right_words(said.text, outcome.first_text)


@pytest.mark.parametrize(
    ("language", "sentences", "voice"),
    [("en", SENTENCES, "en-gb"), ("de", GERMAN, "de"), ("es", SPANISH, "es")],
)
def test_the_language_is_detected(language: str, sentences: tuple[str, ...], voice: str) -> None:
    said, outcome = made(sentences, voice)
    rate = word_errors(said.text, outcome.text).rate
    print(f"{language}: word error rate {rate:.3f}, p {outcome.heard.language_probability}")
    assert outcome.heard.language == language
    assert outcome.heard.language_probability is not None
    assert outcome.heard.language_probability > 0.5
