"""Known inventions of speech models are dropped or heard again, and real speech never is."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.cache.transcripts import Doubt, Transcript
from tests.support.fake_models import ENGLISH, FakeTranscriber, FakeVoiceDetector, Mishearing, said
from workers.analysis.speech.inventions import is_loop, is_stock_phrase, words_of
from workers.analysis.speech.transcribing import transcribe
from workers.media.sound.sound_reader import SoundBlock
from workers.models.protocols import SAMPLE_RATE, SpokenWord, Utterance

WORDS = [(0.5 * n, word) for n, word in enumerate(ENGLISH[:20])]  # five sentences, 10 s
TEXT = " ".join(ENGLISH[:20])


def heard_in(pcm: NDArray[np.float32], mishears: Mishearing, **model: float) -> Transcript:
    fake = FakeTranscriber(mishears=mishears, **model)  # type: ignore[arg-type]
    return transcribe(
        [SoundBlock(None, 0, pcm)],
        fake,
        FakeVoiceDetector,
        language="en",
        call=lambda work: work(),
        heard=lambda _seconds: None,
    )


def text_of(heard: Transcript) -> str:
    return " ".join(segment.text for segment in heard.segments)


def invented(
    text: str,
    start: float,
    end: float,
    *,
    logprob: float = -0.3,
    no_speech: float = 0.05,
    probability: float = 0.9,
) -> Utterance:
    """Text spread evenly over a time, as models align what nobody said."""
    words = text.split()
    step = (end - start) / len(words)
    raw = text.encode()
    return Utterance(
        start,
        end,
        text,
        tuple(
            SpokenWord(start + n * step, start + (n + 1) * step, word, probability)
            for n, word in enumerate(words)
        ),
        logprob,
        len(raw) / len(zlib.compress(raw)),
        no_speech,
    )


def seconds(piece: NDArray[np.float32]) -> float:
    return len(piece) / SAMPLE_RATE


def hum(length: float) -> NDArray[np.float32]:
    """Sound that the detector takes for speech and in which there is no word."""
    return np.full(round(length * SAMPLE_RATE), 0.3, np.float32)


def loop(piece: NDArray[np.float32]) -> list[Utterance]:
    return [invented("I'm sorry, " * 60, 0.0, seconds(piece))]


def faithful(_piece: object, heard: list[Utterance], _cautious: bool) -> list[Utterance]:
    return heard


def test_a_loop_is_heard_again() -> None:
    def once(piece: NDArray[np.float32], heard: list[Utterance], cautious: bool) -> list[Utterance]:
        return heard if cautious else loop(piece)

    heard = heard_in(said(WORDS, 11), once)
    assert text_of(heard) == TEXT
    starts = [word.start for segment in heard.segments for word in segment.words]
    assert starts == pytest.approx([start for start, _ in WORDS], abs=0.04)
    (warning,) = heard.warnings
    assert (warning.doubt, warning.action) == (Doubt.REPEATS, "decoded_again")
    assert warning.text.startswith("I'm sorry, I'm sorry,")
    assert len(warning.text) <= 300
    assert (warning.start, warning.end) == pytest.approx((0.0, 9.8), abs=0.5)


def test_a_loop_that_comes_back_is_dropped() -> None:
    heard = heard_in(said(WORDS, 11), lambda piece, _heard, _cautious: loop(piece))
    assert heard.segments == ()
    assert [(w.doubt, w.action) for w in heard.warnings] == [(Doubt.REPEATS, "dropped")]


def test_a_loop_at_the_end_of_good_text_costs_none_of_it() -> None:
    def runs_on(
        piece: NDArray[np.float32], heard: list[Utterance], cautious: bool
    ) -> list[Utterance]:
        if cautious:
            return heard
        (all_of_it,) = heard
        good = replace(all_of_it, text=" ".join(ENGLISH[:8]), words=all_of_it.words[:8], end=3.8)
        return [good, invented("that is " * 40, 4.0, seconds(piece))]

    heard = heard_in(said(WORDS, 11), runs_on)
    assert text_of(heard) == TEXT
    assert [w.action for w in heard.warnings] == ["decoded_again"]
    assert heard.warnings[0].start == pytest.approx(4.0, abs=0.1)


def test_text_that_packs_too_well_is_a_loop_of_any_kind() -> None:
    def packed(_piece: object, heard: list[Utterance], cautious: bool) -> list[Utterance]:
        return heard if cautious else [replace(s, compression_ratio=2.5) for s in heard]

    heard = heard_in(said(WORDS, 11), packed)
    assert text_of(heard) == TEXT
    assert heard.warnings == ()  # heard again, it was the same


def test_text_that_packs_too_well_and_is_not_heard_in_parts_is_dropped() -> None:
    def packed(
        piece: NDArray[np.float32], _heard: list[Utterance], _cautious: bool
    ) -> list[Utterance]:
        return [replace(invented(TEXT, 0.0, seconds(piece)), compression_ratio=2.5)]

    heard = heard_in(said(WORDS, 11), packed)
    assert heard.segments == ()
    assert {(w.doubt, w.action) for w in heard.warnings} == {(Doubt.COMPRESSION, "dropped")}


def test_the_same_words_in_window_after_window_are_dropped() -> None:
    def same(
        piece: NDArray[np.float32], _heard: list[Utterance], _cautious: bool
    ) -> list[Utterance]:
        return [invented("See you in there.", 0.0, seconds(piece), no_speech=0.3)]

    heard = heard_in(hum(300), same)
    assert len(heard.segments) <= 2
    assert {w.action for w in heard.warnings} == {"dropped"}
    assert Doubt.REPEATS in {w.doubt for w in heard.warnings}
    assert sum(w.end - w.start for w in heard.warnings) > 200


def test_a_line_that_is_really_said_in_take_after_take_stays() -> None:
    line = ENGLISH[:4]
    takes = [(4.0 * take + 0.5 * n, word) for take in range(12) for n, word in enumerate(line)]
    heard = heard_in(said(takes, 49), faithful)
    assert [s.text for s in heard.segments] == [" ".join(line)] * 12
    assert heard.warnings == ()


def test_a_word_that_is_said_again_and_again_stays() -> None:
    heard = heard_in(said([(0.6 * n, "Alpha") for n in range(12)], 8), faithful)
    assert sum(len(segment.words) for segment in heard.segments) == 12
    assert heard.warnings == ()


@pytest.mark.parametrize("text", ["Kilo lima mike.", "Thank you."])
def test_text_over_silence_is_dropped(text: str) -> None:
    def adds(
        piece: NDArray[np.float32], heard: list[Utterance], _cautious: bool
    ) -> list[Utterance]:
        return [*heard, invented(text, seconds(piece) - 0.35, seconds(piece))]

    heard = heard_in(said(WORDS, 60), adds)
    assert text_of(heard) == TEXT
    assert [(w.doubt, w.action, w.text) for w in heard.warnings] == [
        (Doubt.NO_SPEECH, "dropped", text)
    ]


def test_forty_words_a_second_are_dropped() -> None:
    def gabbles(_piece: object, heard: list[Utterance], _cautious: bool) -> list[Utterance]:
        return [invented(" ".join(ENGLISH + ENGLISH[:15]), 3.0, 4.0)]

    heard = heard_in(hum(8), gabbles)
    assert heard.segments == ()
    assert {(w.doubt, w.action) for w in heard.warnings} == {(Doubt.TOO_FAST, "dropped")}


def test_words_that_take_no_time_are_heard_again() -> None:
    def piled(_piece: object, heard: list[Utterance], cautious: bool) -> list[Utterance]:
        if cautious:
            return heard
        return [replace(s, words=tuple(replace(w, end=w.start) for w in s.words)) for s in heard]

    heard = heard_in(said(WORDS, 11), piled)
    assert text_of(heard) == TEXT


@pytest.mark.parametrize(
    "phrase", ["Thanks for watching!", "Thank you.", "ご視聴ありがとうございました"]
)
def test_a_stock_phrase_over_music_is_dropped(phrase: str) -> None:
    """Music that the detector half takes for speech, at the end of a film."""
    music = np.full(6 * SAMPLE_RATE, 0.4 * 0.6 / 2**0.5, np.float32)
    sound = np.concatenate([said(WORDS, 30), music])

    def thanks(
        piece: NDArray[np.float32], heard: list[Utterance], _cautious: bool
    ) -> list[Utterance]:
        end = seconds(piece) - 0.5
        return [*heard, invented(phrase, end - 4.0, end, logprob=-0.9, no_speech=0.3)]

    heard = heard_in(sound, thanks)
    assert text_of(heard) == TEXT
    assert [(w.doubt, w.action, w.text) for w in heard.warnings] == [
        (Doubt.UNSURE, "dropped", phrase)
    ]


def test_a_stock_phrase_that_is_said_stays() -> None:
    def thanks(_piece: object, heard: list[Utterance], _cautious: bool) -> list[Utterance]:
        return [
            replace(s, text="Thank you.", words=(replace(s.words[0], text="Thank you."),))
            for s in heard
        ]

    heard = heard_in(said([(1.0, "Alpha")], 3), thanks)
    assert text_of(heard) == "Thank you."
    assert heard.warnings == ()


def test_text_that_the_model_hardly_believes_gives_way_to_a_likelier_one() -> None:
    def unsure(_piece: object, heard: list[Utterance], cautious: bool) -> list[Utterance]:
        if cautious:
            return heard
        return [invented("Kilo lima mike november.", s.start, s.end, logprob=-1.2) for s in heard]

    heard = heard_in(said(WORDS, 11), unsure)
    assert text_of(heard) == TEXT
    assert [(w.doubt, w.action) for w in heard.warnings] == [(Doubt.UNSURE, "decoded_again")]


def test_hard_to_hear_speech_stays_when_nothing_likelier_is_heard() -> None:
    def unsure(_piece: object, heard: list[Utterance], cautious: bool) -> list[Utterance]:
        return [] if cautious else [replace(s, mean_logprob=-1.1) for s in heard]

    heard = heard_in(said(WORDS, 11), unsure)
    assert text_of(heard) == TEXT
    assert heard.warnings == ()


def test_what_whisper_itself_takes_for_silence_is_dropped() -> None:
    def nothing(_piece: object, heard: list[Utterance], _cautious: bool) -> list[Utterance]:
        return [replace(s, mean_logprob=-1.1, no_speech_probability=0.7) for s in heard]

    heard = heard_in(said(WORDS, 11), nothing)
    assert heard.segments == ()
    assert {(w.doubt, w.action) for w in heard.warnings} == {(Doubt.UNSURE, "dropped")}


def test_only_the_doubtful_sentence_of_a_stretch_is_heard_again() -> None:
    pieces: list[float] = []

    def one(piece: NDArray[np.float32], heard: list[Utterance], cautious: bool) -> list[Utterance]:
        if cautious:
            pieces.append(seconds(piece))
            return heard
        (all_of_it,) = heard
        words = tuple(
            replace(w, probability=0.1) if 8 <= n < 12 else w for n, w in enumerate(all_of_it.words)
        )
        return [replace(all_of_it, words=words, no_speech_probability=0.3)]

    assert text_of(heard_in(said(WORDS, 11), one)) == TEXT
    assert pieces == [pytest.approx(2.2, abs=0.4)]


def test_an_echo_of_the_last_word_is_dropped() -> None:
    """Whisper goes on in the middle of a piece, and hears the end of a word once more."""

    def echo(_piece: object, heard: list[Utterance], _cautious: bool) -> list[Utterance]:
        (all_of_it,) = heard
        first, second = all_of_it.words[:4], all_of_it.words[4:]
        stray = SpokenWord(first[-1].end, first[-1].end + 0.2, "us.", 0.04)
        text = " ".join(word.text for word in second)
        return [
            replace(all_of_it, end=first[-1].end, text=" ".join(ENGLISH[:4]), words=first),
            replace(all_of_it, start=stray.start, text=f"us. {text}", words=(stray, *second)),
        ]

    words = [(start + (1.0 if n >= 4 else 0.0), word) for n, (start, word) in enumerate(WORDS)]
    heard = heard_in(said(words, 12), echo)
    assert text_of(heard) == TEXT
    assert [(w.text, w.action) for w in heard.warnings] == [("us.", "dropped")]


def test_marks_without_words_are_no_text() -> None:
    heard = heard_in(hum(5), lambda _p, _h, _c: [invented(". . . ♪", 0.0, 5.0)])
    assert (heard.segments, heard.warnings) == ((), ())


def test_a_doubtful_stretch_is_heard_in_short_pieces() -> None:
    pieces: list[float] = []

    def once(piece: NDArray[np.float32], heard: list[Utterance], cautious: bool) -> list[Utterance]:
        if not cautious:
            return loop(piece)
        pieces.append(seconds(piece))
        return heard

    chance = np.random.default_rng(2)
    words = [(0.5 * n, str(word)) for n, word in enumerate(chance.choice(ENGLISH, 58))]
    heard = heard_in(said(words, 30), once)
    assert sum(len(segment.words) for segment in heard.segments) == 58
    assert 4 <= len(pieces) <= 8
    assert max(pieces) <= 8.0


def speech_over_a_loud_floor() -> NDArray[np.float32]:
    sound = said(WORDS, 11)
    return sound + 0.02 * np.random.default_rng(1).standard_normal(len(sound)).astype(np.float32)


def test_noise_between_words_changes_nothing() -> None:
    heard = heard_in(speech_over_a_loud_floor(), faithful)
    assert text_of(heard) == TEXT
    assert heard.warnings == ()


def test_loops_are_told_from_what_people_repeat() -> None:
    assert not is_loop(["no"] * 7)
    assert is_loop(["no"] * 8)
    assert not is_loop("thank you very much thank you very much".split())
    assert is_loop("oh thank you very much thank you very much thank you very much".split())
    assert not is_loop(["go"] * 20 + ["home", "now"], since=20)
    assert is_loop(["go"] * 20, since=19)
    assert not is_loop([])


@pytest.mark.parametrize("text", ["谢谢大家" * 4, "ありがとうございます。" * 5, "ขอบคุณครับ" * 6])
def test_a_loop_is_seen_where_no_spaces_part_the_words(text: str) -> None:
    heard = heard_in(hum(8), lambda _piece, _heard, _cautious: [invented(text, 0.0, 7.9)])
    assert heard.segments == ()
    assert [(w.doubt, w.action, w.text) for w in heard.warnings] == [
        (Doubt.REPEATS, "dropped", text)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "शुक्रिया, शुक्रिया, शुक्रिया",
        "谢谢谢谢谢谢",
        "哈哈哈哈哈哈哈哈哈哈",
        "对对对对对对对对，没错",
        "好的好的好的好的",
        "谢谢大家，谢谢大家，谢谢大家",
        "我们一步一步慢慢地来看看，大家看看这个，再看看那个。",
        "はいはいはいはいはい、そうそうそう",
        "ドキドキドキドキする",
        "ありがとうございます。ありがとうございます。ありがとうございます。",
        "すもももももももものうち",
        "委員会は木曜日にまた集まります。次の報告書を持ってきてください。",
        "ใช่ใช่ใช่ใช่ ไม่ใช่ไม่ใช่ไม่ใช่",
        "คณะกรรมการจะประชุมกันอีกครั้งในวันพฤหัสบดี กรุณานำรายงานฉบับที่สองมาด้วย",
    ],
)
def test_what_people_repeat_in_any_script_is_no_loop(text: str) -> None:
    def says(_piece: object, heard: list[Utterance], _cautious: bool) -> list[Utterance]:
        return [replace(s, text=text, compression_ratio=1.5) for s in heard]

    assert not is_loop(words_of(text))
    assert heard_in(said(WORDS, 11), says).warnings == ()


def test_a_line_without_spaces_that_is_heard_in_the_parts_as_well_stays() -> None:
    def says(
        piece: NDArray[np.float32], _heard: list[Utterance], cautious: bool
    ) -> list[Utterance]:
        return [invented("谢谢大家谢谢大伙" if cautious else "谢谢大家" * 4, 0.0, seconds(piece))]

    heard = heard_in(hum(6), says)
    assert (text_of(heard), heard.warnings) == ("谢谢大家" * 4, ())


def test_a_long_line_without_spaces_is_a_loop_when_it_comes_three_times() -> None:
    line = "委員会は木曜日にまた集まりますので次の報告書を持ってきてくださるようにお願いします"
    assert is_loop(words_of(line * 3), since=2 * len(line))
    assert not is_loop(words_of(line * 2))


def test_stock_phrases_are_known_in_any_dress() -> None:
    for text in ("Thanks for watching!", "THANK YOU.", "Subtitles by the Amara.org community"):
        assert is_stock_phrase(text)
    for text in ("谢谢大家。", "字幕由Amara.org社区提供", "¡Suscríbete al canal!"):
        assert is_stock_phrase(text)
    assert not is_stock_phrase("Thanks for watching the dogs.")
    assert not is_stock_phrase("谢谢大家的帮助")
    assert not is_stock_phrase("")
