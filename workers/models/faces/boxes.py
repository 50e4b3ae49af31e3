"""Boxes that detectors find: which of them show the same thing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def distinct(
    boxes: Floats, scores: Floats, most: float, *, of_smaller: bool = False
) -> NDArray[np.intp]:
    """Indexes, best first, of boxes that overlap no better one by more than `most`.

    Overlap: as a part of their union, or of the smaller of the two. `boxes`: [n, 4] left, top,
    right, bottom.
    """
    order = np.argsort(-scores, kind="stable")
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        corner = np.maximum(boxes[best, :2], boxes[order, :2])
        ends = np.minimum(boxes[best, 2:], boxes[order, 2:])
        shared = np.prod(np.maximum(ends - corner, 0), axis=1)
        whole = np.minimum(areas[best], areas[order])
        if not of_smaller:
            whole = areas[best] + areas[order] - shared
        order = order[shared <= most * whole]
    return np.array(kept, np.intp)
