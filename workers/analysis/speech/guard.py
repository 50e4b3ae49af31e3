"""Doubts about what a speech model says it heard: text that nobody spoke."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from shared.cache.transcripts import Doubt
from workers.analysis.speech.inventions import is_loop, is_stock_phrase, words_of
from workers.analysis.speech.segments import WITHOUT_SPACES
from workers.analysis.speech.windows import Window
from workers.models.protocols import Utterance

# Whisper's own limits (openai/whisper, transcribe.py; the same in faster-whisper and whisper.cpp).
COMPRESSION_LIMIT = 2.4
LOGPROB_LIMIT = -1.0
NO_SPEECH_LIMIT = 0.6
# The fastest speakers on record say 11 words a second (655 a minute, S. Shannon, 1995). Where a
# "word" is a character, fast Japanese reaches 10 or so; both with some room for loose times.
WORDS_PER_S, CHARACTERS_PER_S = 12.0, 24.0
# Words of no length pile up where a model had text and no sound for it; stable-ts refuses a
# segment with more than half of them (max_instant_words 0.5).
INSTANT_S, INSTANT_SHARE = 0.02, 0.5
# Times of words are right to about this.
LOOSE_S = 0.2
# Measured with whisper-base: speech, real and synthetic, has no_speech under 0.15, a mean log
# probability over -0.6 and words of 0.8 and more; what it invents of music, noise and silence has
# no_speech over 0.25, and mostly a log probability under -0.8 or words under 0.5.
QUIET_NO_SPEECH = 0.2
# A word alone in its window has no_speech up to 0.66 as well, and words down to 0.1. But its
# sound is beyond doubt: over 0.85 for 5 frames, 0.16 s (270 single words of 6 voices, with room
# noise and without; all but one, which has 0.75). Whisper's inventions over bursts of noise and
# of voiced sound that wake the voice detector (31 in 80 sounds) stayed under 0.7, but for one of
# 0.8, which is a loop; their no_speech is over 0.56.
CLEAR_VOICE, CLEAR_FRAMES = 0.78, 5
ALONE_NO_SPEECH = 0.5
UNSURE_LOGPROB = -0.8
UNSURE_WORD = 0.4
UNSURE_VOICE = 0.5  # mean probability of the voice detector: its own threshold
SHORT_VOICE_S = 0.25  # min_speech_duration_ms of Silero's defaults: less may be any noise
SLOW_WORD_S = 2.0  # faster-whisper's word_anomaly_score: a longer word is an anomaly
VOICED_SHARE = 0.1  # of a text's time, in which at least somebody speaks
_REMEMBERED = 120  # words (some are mere letters) said before, in which a loop may have begun


@dataclass(frozen=True, slots=True)
class _Signs:
    """What the sound and the model say for or against a stretch of text."""

    words: int
    seconds: float
    voiced_s: float  # in which the voice detector hears somebody
    is_unheard: bool  # it may be that nobody speaks there
    is_unsure: bool  # it may be that something else is said


class Guard:
    """Judges the text of one stream, in order of time; remembers it to know a loop."""

    def __init__(self, language: str) -> None:
        self._words_per_s = CHARACTERS_PER_S if language in WITHOUT_SPACES else WORDS_PER_S
        self._before: deque[str] = deque(maxlen=_REMEMBERED)
        self._here: list[str] = []

    def begin_window(self) -> None:
        """What follows was decoded by itself, so that a loop has to begin anew."""
        self._here = []

    def doubt(self, spoken: Utterance, window: Window) -> Doubt | None:
        """Why a text has to be heard again. Words are remembered for those that follow."""
        words = words_of(spoken.text)
        loops_here = is_loop([*self._here, *words], since=len(self._here))
        loops = is_loop([*self._before, *words], since=len(self._before))
        self._here += words
        self._before.extend(words)
        if _is_in_silence(spoken, window, 0.0):
            return Doubt.NO_SPEECH
        if loops_here or (loops and not self.is_sure(spoken, window)):
            return Doubt.REPEATS
        if spoken.compression_ratio > COMPRESSION_LIMIT:
            return Doubt.COMPRESSION
        if self.is_too_fast(spoken, window):
            return Doubt.TOO_FAST
        if spoken.mean_logprob < LOGPROB_LIMIT or _is_weak(spoken, window):
            return Doubt.UNSURE
        return None

    def lasting_doubt(
        self, spoken: Utterance, window: Window, *, may_repeat: bool = False
    ) -> Doubt | None:
        """Why a text is dropped after it was heard with care.

        Text that the model hardly believes stays when somebody speaks there for sure.
        `may_repeat`: what comes again and again was found to be said so.
        """
        if _is_in_silence(spoken, window, LOOSE_S):
            return Doubt.NO_SPEECH
        if not may_repeat and is_loop(words_of(spoken.text)):
            return Doubt.REPEATS
        if not may_repeat and spoken.compression_ratio > COMPRESSION_LIMIT:
            return Doubt.COMPRESSION
        if self.is_too_fast(spoken, window):
            return Doubt.TOO_FAST
        is_weak = _is_weak(spoken, window) and not _is_said(spoken, window)
        return Doubt.UNSURE if is_weak else None

    def is_sure(self, spoken: Utterance, window: Window) -> bool:
        """Whether neither the sound nor the model gives rise to any doubt."""
        signs = _signs(spoken, window)
        return not (signs.is_unheard or signs.is_unsure)

    def is_too_fast(self, spoken: Utterance, window: Window) -> bool:
        signs = _signs(spoken, window)
        instant = sum(word.end - word.start <= INSTANT_S for word in spoken.words)
        return signs.words >= 4 and (
            signs.words > self._words_per_s * (min(signs.voiced_s, signs.seconds) + LOOSE_S)
            or instant > INSTANT_SHARE * signs.words
        )


def _is_in_silence(spoken: Utterance, window: Window, slack: float) -> bool:
    around = window.part(*window.frames(spoken.start - slack, spoken.end + slack))
    return around.speech_seconds < VOICED_SHARE * min(spoken.end - spoken.start, 3.0)


def _is_weak(spoken: Utterance, window: Window) -> bool:
    """Whether both the sound and the model speak against it; for a stock phrase one suffices."""
    signs = _signs(spoken, window)
    if spoken.no_speech_probability > NO_SPEECH_LIMIT and (
        signs.is_unheard or spoken.mean_logprob < LOGPROB_LIMIT
    ):
        return True
    if is_stock_phrase(spoken.text):
        return signs.is_unheard or signs.is_unsure
    return signs.is_unheard and signs.is_unsure


def _is_said(spoken: Utterance, window: Window) -> bool:
    """Whether somebody says something there for sure, so that weak text is better than none."""
    frames = window.part(*window.frames(spoken.start - LOOSE_S, spoken.end + LOOSE_S)).probabilities
    clearest = np.sort(frames)[-CLEAR_FRAMES:]
    signs = _signs(spoken, window)
    is_slow = signs.seconds / signs.words > SLOW_WORD_S
    if is_slow or len(clearest) < CLEAR_FRAMES or clearest[0] < CLEAR_VOICE:
        return False
    if spoken.mean_logprob < LOGPROB_LIMIT:
        return spoken.no_speech_probability <= NO_SPEECH_LIMIT
    is_unsure = is_stock_phrase(spoken.text) and signs.is_unsure
    return not is_unsure or spoken.no_speech_probability <= ALONE_NO_SPEECH


def _signs(spoken: Utterance, window: Window) -> _Signs:
    own = window.part(*window.frames(spoken.start, spoken.end))
    around = window.part(*window.frames(spoken.start - LOOSE_S, spoken.end + LOOSE_S))
    count = max(len(spoken.words), 1)
    seconds = max(spoken.end - spoken.start, window.frame_s)
    certainty = sum(word.probability for word in spoken.words) / count if spoken.words else 1.0
    return _Signs(
        words=count,
        seconds=seconds,
        voiced_s=own.speech_seconds,
        is_unheard=(
            spoken.no_speech_probability > QUIET_NO_SPEECH
            or float(own.probabilities.mean()) < UNSURE_VOICE
            or around.speech_seconds < SHORT_VOICE_S
        ),
        is_unsure=(
            spoken.mean_logprob < UNSURE_LOGPROB
            or certainty < UNSURE_WORD
            or seconds / count > SLOW_WORD_S
        ),
    )
