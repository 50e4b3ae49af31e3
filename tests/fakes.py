"""Models of our own that stand in for real ones: tiny, deterministic, with a meaning."""

from __future__ import annotations

import re
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.models import ModelKind, ModelSpec

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
