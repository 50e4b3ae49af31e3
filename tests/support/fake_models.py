"""Models of our own that stand in for real ones: tiny, deterministic, with a meaning."""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.domain import ModelKind
from shared.models.model_catalogue import require_weights
from shared.models.specs import FaceScale, ModelSpec
from shared.settings import Settings
from workers.models.protocols import SAMPLE_RATE, FaceBox, SpokenWord, Utterance

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

    def embed_sentences(self, texts: list[str]) -> NDArray[np.float32] | None:
        return None

    def familiarity(self, rows: NDArray[np.float32]) -> None:
        return None

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        return _rows(np.array([_colour(text) for text in texts], np.float32).reshape(-1, 3))


def load_fake_embedder(settings: Settings, spec: ModelSpec) -> FakeEmbedder:
    """Load FakeEmbedder in place of a visual model, whose weights must be there as for itself."""
    require_weights(settings, spec)
    return FakeEmbedder(spec)


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


Mishearing = Callable[[NDArray[np.float32], list[Utterance], bool], list[Utterance]]


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
        self.vocabularies: list[tuple[str, ...]] = []  # and what it was told with each
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
        self,
        pieces: Sequence[NDArray[np.float32]],
        language: str,
        *,
        cautious: bool = False,
        vocabulary: Sequence[str] = (),
    ) -> list[list[Utterance]]:
        self.pieces.extend(pieces)
        self.vocabularies += [tuple(vocabulary)] * len(pieces)
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


def _spoken(words: list[tuple[float, float, str]]) -> Utterance:
    text = " ".join(word for _, _, word in words)
    return Utterance(
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


FAKE_FACES_SPEC = ModelSpec(
    key="fake-squares",
    kind=ModelKind.FACES,
    family="fake",
    display_name="Knows people by squares",
    dim=32,
    resolution=36,
    size_bytes=1_000_000,
    licence="MIT",
    commercial_use=True,
    faces=FaceScale(person=0.8, track=0.97),
)
_CELL = 6  # pixels of an aligned face's cell; a face has 6 x 6, of which the outer are magenta
_FACE_SIDE = 6 * _CELL
_PATCH = 4  # pixels: how closely pictures are searched
# Where landmarks lie in a face, as parts of its side; a turned one has its nose at one eye.
_MARKS = np.array([(0.3, 0.3), (0.7, 0.3), (0.5, 0.55), (0.35, 0.75), (0.65, 0.75)], np.float32)
_TURNED_NOSE = (0.3, 0.55)


def paint_face(
    rgb: NDArray[np.uint8],
    person: int,
    place: tuple[int, int, int],
    *,
    look: int = 0,
    turned: bool = False,
) -> NDArray[np.uint8]:
    """`rgb` itself, with a face that FakeFaceFinder finds at `place`: left, top, side (>= 24).

    256 people; each has 16 looks, about 0.9 alike. It stands JPEG and video compression and
    scaling down to 24 pixels. What lies beyond the edges is cut off.
    """
    left, top, side = place
    code = [*_bits(person, 8), *_bits(look, 4), int(turned), 0, 0, 0]
    cells = np.full((6, 6, 3), (255, 0, 255), np.uint8)
    cells[1:5, 1:5] = np.array(code, np.uint8).reshape(4, 4, 1) * 255
    face = cells[np.arange(side) * 6 // side][:, np.arange(side) * 6 // side]
    height, width = rgb.shape[:2]
    first_y, first_x = max(0, top), max(0, left)
    end_y, end_x = min(height, top + side), min(width, left + side)
    if end_y > first_y and end_x > first_x:
        rgb[first_y:end_y, first_x:end_x] = face[
            first_y - top : end_y - top, first_x - left : end_x - left
        ]
    return rgb


class FakeFaceFinder:
    """A face is a magenta square with 4 x 4 black or white cells that tell the person."""

    batch_size = 4

    def __init__(self, spec: ModelSpec = FAKE_FACES_SPEC) -> None:
        self.spec = spec
        self.warmups = 0
        self.detections = 0  # pictures looked at
        self.batches: list[int] = []  # faces in each embed call

    def warmup(self) -> None:
        self.warmups += 1

    def detect(self, rgb: NDArray[np.uint8]) -> list[FaceBox]:
        self.detections += 1
        pixels = rgb.astype(np.int16)
        magenta = np.minimum(pixels[..., 0], pixels[..., 2]) - pixels[..., 1] > 100
        found = []
        for box in _blots(magenta):
            left, top, right, bottom = box
            if min(right - left, bottom - top) < 20:
                continue
            face = FaceBox((left, top, right, bottom), np.zeros((5, 2), np.float32), 0.99)
            marks = _MARKS.copy()
            if _code(self.align(rgb, face))[12]:
                marks[2] = _TURNED_NOSE
            marks = marks * np.array([right - left, bottom - top], np.float32)
            found.append(FaceBox(face.box, marks + np.array([left, top], np.float32), face.score))
        return found

    def align(self, rgb: NDArray[np.uint8], face: FaceBox) -> NDArray[np.uint8]:
        box = tuple(round(value) for value in face.box)
        cut = Image.fromarray(rgb).crop(box)  # type: ignore[arg-type]
        return np.asarray(cut.resize((_FACE_SIDE, _FACE_SIDE), Image.Resampling.BOX))

    def embed(self, aligned: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.batches.append(len(aligned))
        rows = np.empty((len(aligned), FAKE_FACES_SPEC.dim or 0), np.float32)
        for row, face in zip(rows, aligned, strict=True):
            code = _code(face)
            row[:] = fake_face_row(_number(code[:8]), _number(code[8:12]))
        return rows


def fake_face_row(person: int, look: int = 0) -> NDArray[np.float32]:
    """The unit row of a painted face."""
    row = _direction(person) + (0.35 * _direction(1000 + 16 * person + look) if look else 0)
    return (row / np.linalg.norm(row)).astype(np.float32)


def _direction(seed: int) -> NDArray[np.float64]:
    row = np.random.default_rng(seed).normal(size=FAKE_FACES_SPEC.dim)
    return np.asarray(row / np.linalg.norm(row))


def _bits(number: int, count: int) -> list[int]:
    return [number >> at & 1 for at in range(count)]


def _number(bits: Sequence[bool]) -> int:
    return sum(1 << at for at, bit in enumerate(bits) if bit)


def _code(aligned: NDArray[np.uint8]) -> list[bool]:
    """The 16 cells of an aligned face, each by its green in the middle."""
    green = aligned[..., 1].reshape(6, _CELL, 6, _CELL)[1:5, 2:-2, 1:5, 2:-2]
    return [bool(value > 127) for value in green.mean(axis=(1, 3)).ravel()]


def _blots(mask: NDArray[np.bool_]) -> list[tuple[float, float, float, float]]:
    """Boxes of the connected parts of a mask, from top to bottom, looked for by patches."""
    rows, columns = (size // _PATCH * _PATCH for size in mask.shape)
    patches = mask[:rows, :columns].reshape(rows // _PATCH, _PATCH, columns // _PATCH, _PATCH)
    full = patches.mean(axis=(1, 3)) >= 0.25  # else grains of noise
    todo = {(int(y), int(x)) for y, x in np.argwhere(full)}
    boxes = []
    while todo:
        edge = [min(todo)]
        todo.discard(edge[0])
        part = []
        while edge:
            y, x = edge.pop()
            part.append((y, x))
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & todo
            todo -= near
            edge += near
        top, left = (_PATCH * min(at[axis] for at in part) for axis in (0, 1))
        bottom, right = (_PATCH * (max(at[axis] for at in part) + 1) for axis in (0, 1))
        inside = np.argwhere(mask[top:bottom, left:right])
        (y0, x0), (y1, x1) = inside.min(axis=0), inside.max(axis=0) + 1
        boxes.append((float(left + x0), float(top + y0), float(left + x1), float(top + y1)))
    return boxes
