"""Protocols of models: what each must offer, whatever library runs it. Imports no model library.

Threads share a model: its calls that run the network wait for each other (`turns.Turns`), and those
that prepare a picture or look for faces in one may run side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.models.specs import ModelSpec

SAMPLE_RATE = 16_000  # of all sound that speech models hear: mono, float32, -1 to 1


class Model(Protocol):
    """Any model that the pool keeps."""

    @property
    def spec(self) -> ModelSpec: ...

    def warmup(self) -> None:
        """Run the model once so that the first request or file pays nothing."""


class VisualEmbedder(Model, Protocol):
    """Embeds pictures and texts in one space. Threads may share it."""

    @property
    def batch_size(self) -> int:
        """Pictures per `embed_images` call that serve this device best."""

    @property
    def picture_side(self) -> int:
        """Pixels of the short side at which `prepare` wants its picture."""

    def prepare(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Prepare one upright RGB picture [h, w, 3] on the CPU: model input [3, side, side]."""

    def embed_images(self, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        """Prepared pictures [n, 3, side, side] -> unit rows [n, dim]."""

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        """n texts -> unit rows [n, dim]."""

    def embed_sentences(self, texts: list[str]) -> NDArray[np.float32] | None:
        """n sentences -> unit rows [n, dim], near where they mean the same; None: it cannot."""

    def familiarity(self, rows: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """How well the model knows these texts, by their rows: [n], 0 to 1; None: nobody knows."""


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """One spoken word. Seconds from the start of the piece; text without spaces around it."""

    start: float
    end: float
    text: str
    probability: float
    doubtful: bool = False  # after a second look


@dataclass(frozen=True, slots=True)
class Utterance:
    """A stretch of text as the model gave it, with what it thinks of it (Whisper's measures)."""

    start: float
    end: float
    text: str
    words: tuple[SpokenWord, ...]
    mean_logprob: float  # of its tokens
    compression_ratio: float  # of all that was decoded with it, by zlib; over 2.4: a loop, likely
    no_speech_probability: float


class Transcriber(Model, Protocol):
    """Turns sound into words. Threads may share it."""

    @property
    def languages(self) -> frozenset[str]:
        """Codes of shared.models.languages that the model understands."""

    @property
    def longest_s(self) -> float:
        """Seconds of sound that the model hears at once."""

    @property
    def batch_size(self) -> int:
        """Pieces per `transcribe` call that serve this device best."""

    def detect_language(self, piece: NDArray[np.float32]) -> dict[str, float]:
        """Probability of each language the model understands, from a piece with speech."""

    def transcribe(
        self,
        pieces: Sequence[NDArray[np.float32]],
        language: str,
        *,
        cautious: bool = False,
        vocabulary: Sequence[str] = (),
    ) -> list[list[Utterance]]:
        """What is said in each piece (up to `longest_s` at 16 kHz), in order of time.

        `cautious`: a second try at a piece whose text was doubtful, decoded in another way.
        `vocabulary`: names that may be said, the most relevant first; as many count as fit.
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


class VoiceEmbedder(Protocol):
    """Tells voices apart: rows of windows of sound that are near each other for one voice."""

    @property
    def window_frames(self) -> int:
        """Length of a window in frames, of which 100 are a second."""

    def mels(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sound at SAMPLE_RATE -> a row for every 10 ms, one more than whole steps are in it."""

    def embed(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Windows of these rows [n, window_frames, channels] -> unit rows [n, dim]."""


@dataclass(frozen=True, slots=True)
class FaceBox:
    """One detected face, in pixels of the picture it was found in."""

    box: tuple[float, float, float, float]  # left, top, right, bottom
    landmarks: NDArray[np.float32]  # [5, 2] left eye, right eye, nose, mouth left, mouth right
    score: float  # 0 to 1

    def scaled(self, by: float) -> FaceBox:
        """The face's box and landmarks in the same picture at another size."""
        left, top, right, bottom = (value * by for value in self.box)
        return FaceBox((left, top, right, bottom), self.landmarks * np.float32(by), self.score)


class FaceFinder(Model, Protocol):
    """Finds faces in a picture, and rows that tell people apart. Threads may share it.

    "left" and "right" are the picture's, as insightface orders landmarks. `faces` of its spec says
    what the model's distances mean.
    """

    @property
    def batch_size(self) -> int:
        """Faces per `embed` call that serve this device best."""

    def detect(self, rgb: NDArray[np.uint8]) -> list[FaceBox]:
        """All faces in an upright RGB picture [h, w, 3] of any size, none twice."""

    def align(self, rgb: NDArray[np.uint8], face: FaceBox) -> NDArray[np.uint8]:
        """The face cut out, turned upright and scaled as `embed` wants it: [side, side, 3].

        `rgb` may be the picture at another size than the one detected in; `face` is in its pixels.
        """

    def embed(self, aligned: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Aligned faces [n, side, side, 3] -> unit rows [n, dim]."""
