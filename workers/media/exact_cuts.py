"""Where between two pictures of the grid a cut is: the first picture of the new shot.

Each place is worth the least difference of any two of a few pictures across it. So a flash, after
which the pictures are as before, is no cut, and neither is what moves fast on both sides.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.media.media_reader import MediaReader

_SIZE = (64, 36)  # the pictures that are compared
_ACROSS = 4  # pictures: flashes are shorter
# Of the whole change: a cut makes nearly all of it at once (the least of 297 that were measured:
# 0.6), a dissolve a part each time.
_ABRUPT = 0.3
_AS_GOOD = 0.7  # of the best place: another cut,
_QUIET = 0.3  # where half of the places are worth less of it than this


def exact_cut(reader: MediaReader, before: int, after: int) -> float | None:
    """Seconds of the first picture of the shot that the grid shows at `after` and not at `before`.

    In a dissolve, of the first that is more like the later shot. None where the pictures of these
    seconds cannot be had.
    """
    found = reader.every(before, after, _SIZE)
    if len(found) < 2 or found[-1][0] < after:
        return None
    return found[place_of_cut(np.stack([picture for _, picture in found]))][0]


def place_of_cut(pictures: NDArray[np.uint8]) -> int:
    """Index of the first picture of the new shot; [2 or more pictures, height, width, 3]."""
    wide = pictures.astype(np.int16)
    worth = np.full(len(wide), np.inf)
    worth[0] = -1.0  # it follows none
    for apart in range(1, min(_ACROSS, len(wide) - 1) + 1):
        for earlier, change in enumerate(_difference(wide[apart:], wide[:-apart])):
            across = slice(earlier + 1, earlier + apart + 1)
            worth[across] = np.minimum(worth[across], change)
    first, last = wide[:1], wide[-1:]
    best = worth.max()
    if best >= _ABRUPT * _difference(first, last)[0]:
        if np.median(worth[1:]) >= _QUIET * best:  # it stands out from little
            return int(worth.argmax())
        # Of several cuts the last one: behind it is the shot that the grid shows.
        return int(np.flatnonzero(worth >= _AS_GOOD * best)[-1])
    is_later = _difference(wide, last) < _difference(wide, first)
    return int(is_later.argmax())  # the last one is


def _difference(some: NDArray[np.int16], others: NDArray[np.int16]) -> NDArray[np.floating[Any]]:
    """Mean difference of pictures in grey levels."""
    levels: NDArray[np.floating[Any]] = np.abs(some - others).mean(axis=(1, 2, 3))
    return levels
