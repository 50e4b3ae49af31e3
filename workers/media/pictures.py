"""What a decoded picture offers to the stages, whatever it came from. Imports no decoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from shared.cache.frame_packs import THUMBNAIL_SIDE

THUMBNAIL_QUALITY = 80


class Picture(Protocol):
    """One upright picture in display aspect. Valid until its reader moves on or closes."""

    @property
    def width(self) -> int:
        """Full width after rotation and pixel aspect."""

    @property
    def height(self) -> int:
        """Full height after rotation and pixel aspect."""

    def rgb(self, width: int, height: int) -> NDArray[np.uint8]:
        """[height, width, 3], averaged over areas when it shrinks."""

    def thumbnail_jpeg(self, long_side: int = THUMBNAIL_SIDE) -> bytes:
        """A JPEG of at most `long_side` pixels; never larger than the picture."""


@dataclass(frozen=True, slots=True)
class GridFrame:
    """The picture shown at second `second`; `time_seconds` is its own presentation time."""

    second: int
    time_seconds: float
    picture: Picture


def fit(width: int, height: int, long_side: int) -> tuple[int, int]:
    """Size within `long_side`, in the same aspect, never enlarged."""
    longest = max(width, height)
    if longest <= long_side:
        return width, height
    return (
        max(1, round(width * long_side / longest)),
        max(1, round(height * long_side / longest)),
    )


def encode_rgb(rgb: NDArray[np.uint8], quality: int = THUMBNAIL_QUALITY) -> bytes:
    """JPEG of an RGB array."""
    jpeg: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(rgb), quality=quality, colorspace="RGB", colorsubsampling="420"
    )
    return jpeg
