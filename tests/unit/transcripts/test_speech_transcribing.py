"""From blocks of sound to a transcript, with a model that hears words in tones exactly."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from shared.cache.transcripts import Transcript
from tests.support.fake_models import (
    ENGLISH,
    FAKE_SPEECH_SPEC,
    GERMAN,
    FakeTranscriber,
    FakeVoiceDetector,
    said,
)
from workers.analysis.speech.transcribing import SpeechNotUnderstood, transcribe
from workers.media.sound.sound_reader import SoundBlock
from workers.models.protocols import SAMPLE_RATE, SpokenWord, Utterance

T = TypeVar("T")

ENGLISH_ONLY = msgspec.structs.replace(FAKE_SPEECH_SPEC, languages=("en",), multilingual=False)


def at_once(work: Callable[[], T]) -> T:
    return work()


def blocks(
    pcm: NDArray[np.float32], seconds: float = 5.0, stream: int | None = None
) -> Iterator[SoundBlock]:
    size = round(seconds * SAMPLE_RATE)
    for start in range(0, len(pcm), size):
        yield SoundBlock(stream, start, pcm[start : start + size])


def heard_in(
    sound: NDArray[np.float32] | Iterable[SoundBlock],
    model: FakeTranscriber | None = None,
    language: str | None = "en",
) -> Transcript:
    if isinstance(sound, np.ndarray):
        sound = blocks(sound)
    return transcribe(
        sound,
        model or FakeTranscriber(),
        FakeVoiceDetector,
        language=language,
        call=at_once,
        heard=lambda _seconds: None,
    )


def words_of(heard: Transcript, stream: int | None = None) -> list[tuple[float, str]]:
    return [(w.start, w.text) for s in heard.segments if s.stream == stream for w in s.words]


def any_words(count: int) -> list[str]:
    """Words of ENGLISH in no order, since the guard takes offence at any other."""
    return [str(word) for word in np.random.default_rng(8).choice(ENGLISH, count)]


def assert_said(found: list[tuple[float, str]], expected: list[tuple[float, str]]) -> None:
    assert [text for _, text in found] == [text for _, text in expected]
    starts = [start for start, _ in found]
    assert starts == pytest.approx([start for start, _ in expected], abs=0.04)


def test_words_with_pauses_of_every_length_are_all_heard_at_their_times() -> None:
    chance = np.random.default_rng(5)
    words, at = [], 0.3
    for word in any_words(150):
        words.append((round(at, 2), word))
        at += 0.35 + float(chance.choice([0.05, 0.2, 0.7, 1.5, 4.0, 20.0]))
    heard = heard_in(said(words, at))
    assert_said(words_of(heard), words)
    assert heard.warnings == ()
    assert heard.duration_seconds == pytest.approx(at, abs=1e-4)
    assert heard.language_probability is None


def test_fluent_speech_is_cut_into_windows_without_losing_a_word() -> None:
    words = [(0.45 * n, word) for n, word in enumerate(any_words(400))]
    model = FakeTranscriber()
    assert_said(words_of(heard_in(said(words, 181), model)), words)
    assert len(model.pieces) <= 8
    assert max(len(piece) for piece in model.pieces) <= 30 * SAMPLE_RATE


def test_segments_are_sentences() -> None:
    words = [(0.5 * n, word) for n, word in enumerate(ENGLISH)]
    heard = heard_in(said(words, 14))
    assert [segment.text for segment in heard.segments] == [
        "Alpha bravo charlie delta.",
        "Echo foxtrot golf hotel.",
        "India juliett kilo lima.",
        "Mike november oscar papa.",
        "Quebec romeo sierra tango.",
        "Uniform victor whiskey yankee.",
        "Zulu",
    ]
    for segment in heard.segments:
        assert segment.start == segment.words[0].start
        assert segment.end == segment.words[-1].end


def test_a_sentence_over_two_windows_stays_one() -> None:
    small = [word for word in any_words(100) if word.islower() and not word.endswith(".")]
    words = [(0.35 * n, word) for n, word in enumerate(small[:30])]
    heard = heard_in(said(words, 11), FakeTranscriber(longest_s=8.0))
    assert_said(words_of(heard), words)
    assert len(heard.segments) == 1


@pytest.mark.parametrize("size", [1, 3, 8])
def test_streams_that_come_interleaved_are_heard_apart(size: int) -> None:
    first = [(0.5 * n, ENGLISH[n % 8]) for n in range(100)]
    second = [(7.0 * n, ENGLISH[8 + n % 8]) for n in range(8)]
    both = zip(blocks(said(first, 60), stream=0), blocks(said(second, 60), stream=1), strict=True)
    model = FakeTranscriber(batch_size=size)
    heard = heard_in((block for pair in both for block in pair), model)
    assert_said(words_of(heard, 0), first)
    assert_said(words_of(heard, 1), second)
    assert [s.start for s in heard.segments] == sorted(s.start for s in heard.segments)
    assert heard.duration_seconds == 60


def test_blocks_of_any_size_give_the_same_transcript() -> None:
    sound = said([(0.7 * n, ENGLISH[n % len(ENGLISH)]) for n in range(120)], 90)
    whole = heard_in(blocks(sound, 90))
    for seconds in (0.01, 0.77, 5, 31):
        assert heard_in(blocks(sound, seconds)) == whole


def test_silence_has_no_segments_and_no_language() -> None:
    model = FakeTranscriber()
    heard = heard_in(np.zeros(60 * SAMPLE_RATE, np.float32), model, language=None)
    assert heard.segments == ()
    assert (heard.language, heard.language_probability) == ("", None)
    assert (heard.duration_seconds, heard.speech_seconds) == (60, 0)
    assert not model.pieces
    assert not model.detections


def test_what_the_detector_took_for_speech_and_had_no_words_has_no_language() -> None:
    hum = np.full(20 * SAMPLE_RATE, 0.3, np.float32)
    assert heard_in(hum, language=None).language == ""
    assert heard_in(hum, language="de").language == "de"


def test_no_sound_at_all_and_a_second_of_it_are_fine() -> None:
    assert heard_in(np.zeros(0, np.float32)).duration_seconds == 0
    heard = heard_in(said([(0.5, "Alpha")], 1.0), language=None)
    assert_said(words_of(heard), [(0.5, "Alpha")])
    assert (heard.language, heard.language_probability) == ("en", 1.0)


def test_the_language_is_asked_for_once_where_it_is_clear() -> None:
    model = FakeTranscriber()
    words = [(0.5 * n, GERMAN[n % len(GERMAN)]) for n in range(300)]
    heard = heard_in(said(words, 151), model, language=None)
    assert (heard.language, heard.language_probability) == ("de", 1.0)
    assert model.detections == 1
    assert_said(words_of(heard), words)


def test_an_unclear_beginning_does_not_decide_the_language() -> None:
    unclear = [(0.5 * n, (ENGLISH + GERMAN)[n % 2 * len(ENGLISH)]) for n in range(50)]
    clear = [(25 + 0.5 * n, GERMAN[n % len(GERMAN)]) for n in range(200)]
    model = FakeTranscriber()
    heard = heard_in(said(unclear + clear, 126), model, language=None)
    assert heard.language == "de"
    assert 0.6 < (heard.language_probability or 0) < 1
    assert 1 < model.detections <= 4
    assert_said(words_of(heard)[-200:], clear)


def test_a_language_that_the_model_does_not_know_is_refused_before_anything_is_heard() -> None:
    def no_blocks() -> Iterator[SoundBlock]:
        raise AssertionError("the file was read")
        yield

    with pytest.raises(
        SpeechNotUnderstood, match=r"fake-tones does not understand german\. Choose"
    ):
        heard_in(no_blocks(), FakeTranscriber(ENGLISH_ONLY), "de")


def test_a_model_of_one_language_that_understands_little_says_so() -> None:
    words = [(0.5 * n, GERMAN[n % len(GERMAN)]) for n in range(60)]
    with pytest.raises(SpeechNotUnderstood, match="understands English alone"):
        heard_in(said(words, 31), FakeTranscriber(ENGLISH_ONLY), None)


def test_a_model_of_one_language_that_hears_unlikely_words_in_another_says_so() -> None:
    def nonsense(_: NDArray[np.float32], heard: list[Utterance], __: bool) -> list[Utterance]:
        return [
            replace(spoken, words=tuple(replace(word, probability=0.5) for word in spoken.words))
            for spoken in heard
        ]

    model = FakeTranscriber(ENGLISH_ONLY, mishears=nonsense)
    sound = said([(0.5 * n, ENGLISH[n % len(ENGLISH)]) for n in range(60)], 31)
    with pytest.raises(SpeechNotUnderstood, match="understands English alone"):
        heard_in(sound, model, None)
    assert len(words_of(heard_in(sound, model, "en"))) == 60


def test_a_model_of_one_language_gives_up_on_hours_that_it_does_not_understand() -> None:
    model = FakeTranscriber(ENGLISH_ONLY)
    words = [(0.35 * n, GERMAN[n % len(GERMAN)]) for n in range(3000)]
    with pytest.raises(SpeechNotUnderstood, match="Choose a multilingual model"):
        heard_in(said(words, 1051), model, None)
    assert sum(len(piece) for piece in model.pieces) / SAMPLE_RATE < 500


def test_a_model_of_one_language_keeps_a_file_with_some_words_of_another() -> None:
    words = [(0.5 * n, (GERMAN if n % 3 == 0 else ENGLISH)[n % 12]) for n in range(60)]
    heard = heard_in(said(words, 31), FakeTranscriber(ENGLISH_ONLY), None)
    assert (heard.language, heard.language_probability) == ("en", None)
    assert_said(words_of(heard), [word for word in words if word[1] in ENGLISH])


def test_progress_never_goes_back_and_ends_with_the_duration() -> None:
    seen: list[float] = []
    sound = said([(0.4 * n, ENGLISH[n % 20]) for n in range(200)], 200)
    both = zip(blocks(sound, stream=0), blocks(sound, stream=1), strict=True)
    transcribe(
        (block for pair in both for block in pair),
        FakeTranscriber(batch_size=2),
        FakeVoiceDetector,
        language=None,
        call=at_once,
        heard=seen.append,
    )
    assert seen == sorted(seen)
    assert seen[-1] == 200
    assert len(set(seen)) > 20


def test_every_call_of_the_model_goes_through_call() -> None:
    class Watched(FakeTranscriber):
        inside = False

        def detect_language(self, piece: NDArray[np.float32]) -> dict[str, float]:
            assert self.inside
            return super().detect_language(piece)

        def transcribe(self, pieces, language, **more):  # type: ignore[no-untyped-def]
            assert self.inside
            return super().transcribe(pieces, language, **more)

    def loops(_piece: object, heard: list[Utterance], cautious: bool) -> list[Utterance]:
        return heard if cautious else [loop for spoken in heard for loop in [spoken] * 9]

    model = Watched(mishears=loops)

    def call(work: Callable[[], T]) -> T:
        model.inside = True
        try:
            return work()
        finally:
            model.inside = False

    sound = said([(0.5 * n, ENGLISH[n % 20]) for n in range(40)], 21)
    transcribe(
        blocks(sound), model, FakeVoiceDetector, language=None, call=call, heard=lambda _s: None
    )
    assert len(model.pieces) > 1


def test_what_call_raises_ends_the_work() -> None:
    class Stop(BaseException):
        pass

    def call(_work: Callable[[], T]) -> T:
        raise Stop

    with pytest.raises(Stop):
        transcribe(
            blocks(said([(0, "Alpha")], 2)),
            FakeTranscriber(),
            FakeVoiceDetector,
            language="en",
            call=call,
            heard=lambda _s: None,
        )


def test_memory_does_not_grow_with_the_length_of_a_file() -> None:
    block = said([(3.0, "Alpha")], 10)

    def hours(count: float) -> Iterator[SoundBlock]:
        for number in range(round(count * 360)):
            yield SoundBlock(None, number * len(block), block)

    class Forgets(FakeTranscriber):
        def transcribe(self, pieces, language, **more):  # type: ignore[no-untyped-def]
            self.pieces.clear()
            return [
                [
                    Utterance(
                        0.5, 0.7, "Alpha", (SpokenWord(0.5, 0.7, "Alpha", 0.9),), -0.2, 0.5, 0.0
                    )
                ]
                for _ in pieces
            ]

    def peak(count: float) -> float:
        tracemalloc.start()
        heard_in(hours(count), Forgets())
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size / 2**20

    short, long = peak(0.2), peak(0.6)
    assert long < short + 1  # MiB; 24 minutes of sound are 88
