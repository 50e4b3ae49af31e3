"""Voices of flite are told apart, clean and over noise and music; nobody is invented."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from shared.cache.transcripts import Segment
from tests.quality.transcripts.conversations import Conversation, Pcm, conversation
from tests.quality.transcripts.measure_speakers import doubted, tell
from tests.quality.transcripts.speech_material import hear, pink_noise
from tests.support.lite_models import voice_model
from tests.support.media.speech import RATE
from tests.support.media.voices import uttered
from tests.support.skip_or_fail import fetched_or_skipped
from workers.analysis.speakers.diarizing import Diarizer, warnings_of

pytestmark = pytest.mark.quality
_TEXT = (
    "Good morning, and welcome to the second day of our little journey along the river. "
    "We looked at photographs, drank hot tea, and talked about the people who once lived here. "
    "My grandmother used to say that a garden tells you more about a man than his letters. "
    "After a long silence he stood up and walked slowly towards the water."
)


@functools.cache
def talk() -> Conversation:
    """A minute of three voices."""
    with fetched_or_skipped():
        voices: dict[str, Pcm] = {name: uttered(_TEXT, name) for name in ("slt", "rms", "awb")}
    return conversation(voices, seed=5, seconds=45, longest_s=10)


@pytest.mark.parametrize(
    ("over", "decibels", "most"), [("", 0, 0.1), ("noise", 10, 0.2), ("music", 10, 0.2)]
)
def test_three_voices_are_told_apart(over: str, decibels: float, most: float) -> None:
    clean = talk()
    told = tell(clean.over(over, decibels) if over else clean, clean.pcm)
    assert told.found == 3
    assert told.error < most


def test_three_voices_are_told_apart_by_the_words_that_whisper_hears() -> None:
    """What Whisper hears and when, not where speech is."""
    clean = talk()
    told = tell(clean, clean.pcm, hear(clean.pcm).words)
    assert told.found == 3
    assert told.error < 0.12


def test_words_at_which_two_speak_at_once_are_doubtful_more_often_than_others() -> None:
    with fetched_or_skipped():
        voices = {name: uttered(_TEXT, name) for name in ("slt", "rms", "awb")}
    found = doubted(voices, range(7, 9))
    assert found.at_once_marked / found.at_once > 0.3
    assert found.others_marked / found.others < 0.12


@pytest.mark.short
def test_one_voice_alone_is_one_speaker() -> None:
    with fetched_or_skipped():
        alone = conversation({"slt": uttered(_TEXT, "slt")}, seed=6, seconds=30, longest_s=8)
    told = tell(alone, alone.pcm)
    assert told.found == 1


def test_of_noise_that_is_taken_for_speech_there_are_few_speakers() -> None:
    words = talk().words
    segment = Segment(start=0, end=60, text="", words=words)
    diarizer = Diarizer([segment], voice_model())
    diarizer.hear(None, np.resize(pink_noise(30), len(talk().pcm)))
    speakers, _ = diarizer.finish()
    assert len(speakers) <= 2


def test_ten_sounds_at_once_are_few_speakers_and_that_is_warned_of() -> None:
    """As many as can be is no answer: what nobody could tell apart is hardly told apart."""
    pcm, words = talk().pcm, talk().words
    babble = np.sum([np.roll(pcm, n * 3 * RATE) for n in range(10)], axis=0)
    segment = Segment(start=0, end=len(pcm) / RATE, text="", words=words)
    diarizer = Diarizer([segment], voice_model())
    diarizer.hear(None, (babble / 4).astype(np.float32))
    speakers, turns = diarizer.finish()
    assert 1 <= len(speakers) <= 4
    [warning] = warnings_of(turns, diarizer.noise)
    assert warning.startswith("The sound hardly ever pauses")
