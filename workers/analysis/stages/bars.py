"""Where in a grid picture the film is: without the black bars above, below or beside it.

A row or column is of the film when a tenth of it is lit; fewer lit pixels are a subtitle in a bar.
What counts as lit falls with the picture, so that the dark parts of a dark film are no bars.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
LIT = 20.0  # grey levels: black in full range, its noise, and black in limited range lie below
LIT_OF_BRIGHTEST = 0.25
LIT_SHARE = 0.1  # of a row or column
DIM = 0.9  # times as bright as the line beside it
SMALLEST = 0.1  # of a picture: less is a title or a clock on black


class FilmArea(NamedTuple):
    """A part of a picture, in shares of its height and width."""

    top: float
    bottom: float
    left: float
    right: float

    def cut(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """This part of a picture of any size, as a view."""
        height, width = rgb.shape[:2]
        top, bottom = round(self.top * height), round(self.bottom * height)
        left, right = round(self.left * width), round(self.right * width)
        return rgb[top : max(bottom, top + 1), left : max(right, left + 1)]


WHOLE = FilmArea(0, 1, 0, 1)


def lit(rgb: NDArray[np.uint8]) -> FilmArea:
    """The lit part of a picture; of one that is black nearly everywhere the whole."""
    luma = rgb.astype(np.float32) @ LUMA
    bright = luma > min(LIT, LIT_OF_BRIGHTEST * luma.max())
    rows, columns = (_ends(luma.mean(axis), bright.mean(axis)) for axis in (1, 0))
    area = FilmArea(*rows, *columns)
    return area if (area.bottom - area.top) * (area.right - area.left) >= SMALLEST else WHOLE


def _ends(light: Floats, shares: Floats) -> tuple[float, float]:
    """From where to where lines of pixels are lit; one that lies half in a bar is left out."""
    found, count = np.flatnonzero(shares > LIT_SHARE), len(light)
    if len(found) < 2:
        return 0, 0
    first, last = int(found[0]), int(found[-1])
    first += first > 0 and light[first] < DIM * light[first + 1]
    last -= last < count - 1 and light[last] < DIM * light[last - 1]
    return first / count, (last + 1) / count


def around(areas: Iterable[FilmArea]) -> FilmArea:
    tops, bottoms, lefts, rights = zip(*areas, strict=True)
    return FilmArea(min(tops), max(bottoms), min(lefts), max(rights))
