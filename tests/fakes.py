"""Models of our own that stand in for real ones: tiny, deterministic, with a meaning."""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.models import ModelKind, ModelSpec
from workers.models.protocols import SAMPLE_RATE, Spoken, SpokenWord

FAKE_SPEC = ModelSpec(
    key="fake-colours",
    kind=ModelKind.VISUAL,
    family="fake",
    display_name="Knows colours",
    dim=4,
    resolution=8,
    size_bytes=1_000_000,
    licence="MIT",
    commercial_use=True,
)
COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
}
_SIDE = 8


class FakeEmbedder:
    """A picture is its mean colour; a text is the mean of the colours that it names."""

    batch_size = 4
    picture_side = _SIDE

    def __init__(self, spec: ModelSpec = FAKE_SPEC) -> None:
        self.spec = spec
        self.warmups = 0
        self.batches: list[int] = []  # pictures in each embed_images call

    def warmup(self) -> None:
        self.warmups += 1

    def prepare(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        small = Image.fromarray(rgb).resize((_SIDE, _SIDE), Image.Resampling.BOX)
        scaled = np.asarray(small).astype(np.float32) / 255 - 0.5
        return np.ascontiguousarray(scaled.transpose(2, 0, 1))

    def embed_images(self, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        self.batches.append(len(prepared))
        return _rows(prepared.mean(axis=(2, 3)))

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        return _rows(np.array([_colour(text) for text in texts], np.float32).reshape(-1, 3))


def _colour(text: str) -> NDArray[np.float32]:
    named = [COLOURS[word] for word in re.findall(r"[a-z]+", text.lower()) if word in COLOURS]
    if not named:  # some faint colour of its own
        digest = zlib.crc32(text.encode())
        named = [(100 + digest % 56, 100 + digest // 56 % 56, 100 + digest // 3136 % 56)]
    return (np.mean(named, axis=0) / 255 - 0.5).astype(np.float32)


def _rows(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    rows = np.concatenate([colours, np.full((len(colours), 1), 0.1, np.float32)], axis=1)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


FAKE_SPEECH_SPEC = ModelSpec(
    key="fake-tones",
    kind=ModelKind.SPEECH,
    family="fake",
    display_name="Knows tones",
    languages=("de", "en"),
    multilingual=True,
    size_bytes=1_000_000,
    licence="MIT",
    commercial_use=True,
)
# Each word is a tone of 300 Hz and upwards in steps of 50 Hz; German ones lie above.
ENGLISH = (
    "Alpha bravo charlie delta. Echo foxtrot golf hotel. India juliett kilo lima. Mike november "
    "oscar papa. Quebec romeo sierra tango. Uniform victor whiskey yankee. Zulu"
).split()
GERMAN = "Eins zwei drei vier. Fünf sechs sieben acht. Neun zehn elf zwölf.".split()
_TONES = {300 + 50 * n: word for n, word in enumerate([*ENGLISH, *GERMAN])}
_HERTZ = {word: hertz for hertz, word in _TONES.items()}
_HOP = 160  # samples: the fake tells time in hundredths of a second
_LOUDEST = 0.4


def tone(word: str, seconds: float = 0.3, level: float = _LOUDEST) -> NDArray[np.float32]:
    """The sound of a word of ENGLISH or GERMAN at 16 kHz."""
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (level * np.sin(2 * np.pi * _HERTZ[word] * times)).astype(np.float32)


def said(words: Iterable[tuple[float, str]], seconds: float) -> NDArray[np.float32]:
    """Silence of a length in which each word is said for 0.3 s from its second on."""
    pcm = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    for start, word in words:
        at = round(start * SAMPLE_RATE)
        sound = tone(word)[: len(pcm) - at]
        pcm[at : at + len(sound)] = sound
    return pcm


Mishearing = Callable[[NDArray[np.float32], list[Spoken], bool], list[Spoken]]


class FakeTranscriber:
    """Hears words in tones, exactly. `mishears` makes of (piece, heard, cautious) what it tells."""

    def __init__(
        self,
        spec: ModelSpec = FAKE_SPEECH_SPEC,
        *,
        longest_s: float = 30.0,
        batch_size: int = 1,
        mishears: Mishearing = lambda _piece, heard, _cautious: heard,
    ) -> None:
        self.spec = spec
        self.languages = frozenset(spec.languages)
        self.longest_s = longest_s
        self.batch_size = batch_size
        self.warmups = 0
        self.pieces: list[NDArray[np.float32]] = []  # all that it was given to transcribe
        self.detections = 0
        self._mishears = mishears

    def warmup(self) -> None:
        self.warmups += 1

    def detect_language(self, piece: NDArray[np.float32]) -> dict[str, float]:
        self.detections += 1
        words = [word for _, _, word in _words(piece)]
        german = sum(word in GERMAN for word in words) / len(words) if words else 0.5
        shares = {"de": german, "en": 1 - german}
        return {language: shares.get(language, 0.0) for language in self.languages}

    def transcribe(
        self, pieces: Sequence[NDArray[np.float32]], language: str, *, cautious: bool = False
    ) -> list[list[Spoken]]:
        self.pieces.extend(pieces)
        known = GERMAN if language == "de" else ENGLISH
        heard = [[w for w in _words(piece) if w[2] in known] for piece in pieces]
        return [
            self._mishears(piece, [_spoken(words)] if words else [], cautious)
            for piece, words in zip(pieces, heard, strict=True)
        ]


def _words(piece: NDArray[np.float32]) -> list[tuple[float, float, str]]:
    """(start, end, word) of each tone."""
    hops = piece[: len(piece) // _HOP * _HOP].reshape(-1, _HOP)
    if len(hops) < 2:
        return []
    frames = np.concatenate((hops[:-1], hops[1:]), axis=1)  # 20 ms: 50 Hz apart
    bins = np.abs(np.fft.rfft(frames)).argmax(axis=1)
    loud = np.sqrt((frames**2).mean(axis=1)) > 0.05
    heard = np.where(loud, bins * 50, 0)
    edges = [0, *(int(at) + 1 for at in np.flatnonzero(np.diff(heard))), len(heard)]
    found = []
    for first, end in itertools.pairwise(edges):
        word = _TONES.get(int(heard[first]))
        if word and end - first >= 5:  # shorter: a mixture where two tones meet
            found.append(((first + 0.5) / 100, (end + 0.5) / 100, word))
    return found


def _spoken(words: list[tuple[float, float, str]]) -> Spoken:
    text = " ".join(word for _, _, word in words)
    return Spoken(
        start=words[0][0],
        end=words[-1][1],
        text=text,
        words=tuple(SpokenWord(start, end, word, 0.9) for start, end, word in words),
        mean_logprob=-0.2,
        compression_ratio=len(text) / len(zlib.compress(text.encode())),
        no_speech_probability=0.01,
    )


class FakeVoiceDetector:
    """The louder a frame, the likelier it is speech."""

    frame_samples = 512

    def probabilities(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        level = np.sqrt((pcm.reshape(-1, self.frame_samples) ** 2).mean(axis=1))
        return np.clip(level * np.float32(2**0.5 / _LOUDEST), 0, 1, dtype=np.float32)
