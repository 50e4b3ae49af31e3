"""Whisper through faster-whisper and CTranslate2: sound into words with their times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.transcribe import Segment
from numpy.typing import NDArray

from shared.languages import language_code
from shared.models import ModelSpec
from workers.models.protocols import SAMPLE_RATE, Spoken, SpokenWord


class WhisperTranscriber:
    """One Whisper model on one device. Each piece is heard by itself, without the one before."""

    longest_s = 30.0
    batch_size = 1

    def __init__(self, spec: ModelSpec, folder: Path, device: str) -> None:
        self._spec = spec
        self._model = WhisperModel(
            str(folder), device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True
        )
        codes = {code for name in spec.languages if (code := language_code(name))}
        self._languages = frozenset(codes & set(self._model.supported_languages))

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    @property
    def languages(self) -> frozenset[str]:
        return self._languages

    def warmup(self) -> None:
        self.transcribe([np.zeros(SAMPLE_RATE, np.float32)], next(iter(self._languages)))

    def detect_language(self, piece: NDArray[np.float32]) -> dict[str, float]:
        if len(self._languages) == 1:
            return dict.fromkeys(self._languages, 1.0)
        found = dict(self._model.detect_language(piece)[2])
        return {code: float(found.get(code, 0.0)) for code in self._languages}

    def transcribe(
        self, pieces: Sequence[NDArray[np.float32]], language: str, *, cautious: bool = False
    ) -> list[list[Spoken]]:
        return [self._hear(piece, language, cautious) for piece in pieces]

    def _hear(self, piece: NDArray[np.float32], language: str, cautious: bool) -> list[Spoken]:
        segments, _info = self._model.transcribe(
            piece,
            language=language,
            beam_size=2 if cautious else 5,
            temperature=(0.0, 0.4, 0.8) if cautious else 0.0,
            no_repeat_ngram_size=5 if cautious else 0,
            repetition_penalty=1.1 if cautious else 1.0,
            condition_on_previous_text=False,
            no_speech_threshold=None,
            word_timestamps=True,
        )
        return [_spoken(segment) for segment in segments]


def _spoken(segment: Segment) -> Spoken:
    """In plain Python numbers: faster-whisper gives numpy's, which JSON does not know."""
    words = tuple(
        SpokenWord(float(word.start), float(word.end), word.word.strip(), float(word.probability))
        for word in segment.words or ()
        if word.word.strip()
    )
    return Spoken(
        start=float(segment.start),
        end=float(segment.end),
        text=segment.text.strip(),
        words=words,
        mean_logprob=float(segment.avg_logprob),
        compression_ratio=float(segment.compression_ratio),
        no_speech_probability=float(segment.no_speech_prob),
    )
