"""What a model must offer, whatever library runs it. Imports no model library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.models import ModelSpec

SAMPLE_RATE = 16_000  # of all sound that speech models hear: mono, float32, -1 to 1


class Model(Protocol):
    """What the pool needs to know of any model that it keeps."""

    @property
    def spec(self) -> ModelSpec: ...

    def warmup(self) -> None: ...


class VisualEmbedder(Protocol):
    """Pictures and texts into one vector space. Not thread-safe; the pool lends it to one user."""

    @property
    def spec(self) -> ModelSpec: ...

    @property
    def batch_size(self) -> int:
        """Pictures per `embed_images` call that serve this device best."""

    @property
    def picture_side(self) -> int:
        """Pixels of the short side at which `prepare` wants its picture."""

    def warmup(self) -> None:
        """Run once so that the first request pays nothing."""

    def prepare(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """CPU work on one upright RGB picture [h, w, 3] -> model input [3, side, side]."""

    def embed_images(self, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        """[n, 3, side, side] -> unit rows [n, dim]."""

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        """n texts -> unit rows [n, dim]."""


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """One word. Times in seconds from the start of the piece; text without spaces around it."""

    start: float
    end: float
    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class Spoken:
    """A stretch of text as the model gave it, with what it thinks of it (Whisper's measures)."""

    start: float
    end: float
    text: str
    words: tuple[SpokenWord, ...]
    mean_logprob: float  # of its tokens
    compression_ratio: float  # of all that was decoded with it, by zlib; over 2.4: a loop, likely
    no_speech_probability: float


class Transcriber(Protocol):
    """Sound into words. Not thread-safe; the pool lends it to one user."""

    @property
    def spec(self) -> ModelSpec: ...

    @property
    def languages(self) -> frozenset[str]:
        """Codes of shared.languages that it understands."""

    @property
    def longest_s(self) -> float:
        """Seconds of sound that it hears at once."""

    @property
    def batch_size(self) -> int:
        """Pieces per `transcribe` call that serve this device best."""

    def warmup(self) -> None:
        """Run once so that the first file pays nothing."""

    def detect_language(self, piece: NDArray[np.float32]) -> dict[str, float]:
        """Probability of each language it understands, from a piece with speech in it."""

    def transcribe(
        self, pieces: Sequence[NDArray[np.float32]], language: str, *, cautious: bool = False
    ) -> list[list[Spoken]]:
        """What is said in each piece (up to `longest_s` at 16 kHz), in order of time.

        `cautious`: a second try at a piece whose text was doubtful, decoded in another way.
        """


class VoiceDetector(Protocol):
    """Tells speech from other sound, frame by frame. One instance per stream of sound."""

    @property
    def frame_samples(self) -> int:
        """Length of a frame in samples."""

    def probabilities(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability of speech in each frame of the next [n * frame_samples] samples.

        Remembers what it heard before, so a long sound may come in pieces of any whole frames.
        """
