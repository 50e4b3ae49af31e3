"""Finds faces with UltraFace's network: large ones in a small picture, the rest in a larger one.

The published network takes 320x240 pixels only, which loses faces under 80 pixels of a frame of
1280, and its boxes are computed for that size. Ours (convert_faceplugin.py) takes any size, and the
boxes are computed here. Two sizes find faces of 24 pixels, at a third of the time of one at 1280.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workers.models.faces.boxes import Floats, distinct
from workers.models.onnx_sessions import open_session

# The network's anchors: at each stride, the sides of the squares that boxes are told relative to.
_ANCHORS = {8: (10, 16, 24), 16: (32, 48), 32: (64, 96), 64: (128, 192, 256)}
_CENTRE, _SIDES = 0.1, 0.2  # the "variances" it was trained with
_GRID = 64  # a picture of whole largest strides needs no rounding between the grids
_GREY, _SPREAD = np.float32(127), np.float32(128)  # its pixels are (value - 127) / 128


@dataclass(frozen=True, slots=True)
class _Pass:
    longer_side: int
    tallest: float  # box in pixels of this size that is believed; parts of larger faces look alike


# The second look: a square of so many pixels around a find, which is so high in it. Of 373 faces
# none is lost by it, of 41 wheels, coins, badges and animals six are left.
_VIEW, _FACE = 128, 32
_LEAST_AGAIN = 0.5

_PASSES = (_Pass(320, np.inf), _Pass(960, 120))


class UltraFace:
    """UltraFace's network in two passes. `least` is the score from which a find counts."""

    def __init__(self, path: Path, device: str, least: float) -> None:
        self._session = open_session(path, device)
        self._least = least

    def detect(self, rgb: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """Boxes [n, 4] (left, top, right, bottom) and scores [n], the surest first."""
        picture = Image.fromarray(rgb)
        finds = [self._find(picture, size) for size in _PASSES]
        boxes = np.concatenate([boxes for boxes, _ in finds])
        scores = np.concatenate([scores for _, scores in finds])
        for most, of_smaller in ((0.3, False), (0.6, True)):  # the same face; a part of one
            kept = distinct(boxes, scores, most, of_smaller=of_smaller)
            boxes, scores = boxes[kept], scores[kept]
        seen = self._seen_again(picture, boxes)
        edge = np.array([*picture.size, *picture.size], np.float32)
        return np.clip(boxes, 0, edge)[seen], scores[seen]

    def _seen_again(self, picture: Image.Image, boxes: Floats) -> NDArray[np.bool_]:
        """[n] whether a find is a face in a mirror and at another size, too."""
        if not len(boxes):
            return np.zeros(0, bool)
        views = np.stack([_mirrored(picture, box) for box in boxes]).transpose(0, 3, 1, 2)
        pixels = (views - _GREY) / _SPREAD
        scores, offsets = self._session.run(None, {"input": pixels})
        squares = anchors(_VIEW, _VIEW)
        half = (boxes[:, 2:] - boxes[:, :2]) / (boxes[:, 3:] - boxes[:, 1:2]) * _FACE / 2
        middle = np.float32(_VIEW / 2)
        best = []
        for row, offset, size in zip(scores[..., 1], offsets, half, strict=True):
            there = _overlaps(
                decoded(offset, squares), np.array([*(middle - size), *(middle + size)])
            )
            best.append(row[there > 0.4].max(initial=0))
        return np.array(best) >= _LEAST_AGAIN

    def _find(self, picture: Image.Image, size: _Pass) -> tuple[Floats, Floats]:
        scale = size.longer_side / max(picture.size)
        width, height = (max(1, round(side * scale)) for side in picture.size)
        small = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
        across, down = (-(-side // _GRID) * _GRID for side in (width, height))
        pixels = np.zeros((1, 3, down, across), np.float32)
        pixels[0, :, :height, :width] = (np.asarray(small).transpose(2, 0, 1) - _GREY) / _SPREAD
        scores, offsets = self._session.run(None, {"input": pixels})
        sure = scores[0, :, 1] >= self._least
        boxes = decoded(offsets[0][sure], anchors(across, down)[sure])
        believed = boxes[:, 3] - boxes[:, 1] <= size.tallest
        back = np.tile(np.array(picture.size, np.float32) / (width, height), 2)
        return (boxes * back).astype(np.float32)[believed], scores[0, sure, 1][believed]


def _mirrored(picture: Image.Image, box: Floats) -> Floats:
    """[side, side, 3]: a find and what is around it, mirrored; grey beyond the picture's edges."""
    view = np.full((_VIEW, _VIEW, 3), _GREY, np.float32)
    scale = _FACE / float(box[3] - box[1])
    corner = (box[:2] + box[2:]) / 2 - _VIEW / 2 / scale
    inside = np.clip([*corner, *(corner + _VIEW / scale)], 0, [*picture.size, *picture.size])
    left, top, right, bottom = np.rint((inside - np.tile(corner, 2)) * scale).astype(int).tolist()
    if right > left and bottom > top:
        part = picture.resize(
            (right - left, bottom - top),
            Image.Resampling.BILINEAR,
            tuple(inside.tolist()),
            reducing_gap=2.0,
        )
        view[top:bottom, left:right] = np.asarray(part)
    return view[:, ::-1]


def _overlaps(boxes: Floats, one: Floats) -> Floats:
    """[n] overlap of each box with one box, as a part of their union."""
    shared = np.minimum(boxes[:, 2:], one[2:]) - np.maximum(boxes[:, :2], one[:2])
    areas = np.prod(np.maximum(shared, 0), axis=1)
    whole = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(one[2:] - one[:2]) - areas
    return np.asarray(areas / whole, np.float32)


@functools.lru_cache(maxsize=16)
def anchors(width: int, height: int) -> Floats:
    """[n, 3] centre x, centre y and side of the anchors, in the order of the network's rows."""
    rows = []
    for stride, sides in _ANCHORS.items():
        columns, lines = -(-width // stride), -(-height // stride)
        y, x = np.mgrid[:lines, :columns] + 0.5
        # Over the number of cells, as it was trained: 240 pixels have 8 cells of stride 32.
        centres = np.stack([x * width / columns, y * height / lines], axis=-1)
        each = np.repeat(centres.reshape(-1, 1, 2), len(sides), axis=1)
        side = np.broadcast_to(np.array(sides, float)[None, :, None], (*each.shape[:2], 1))
        rows.append(np.concatenate([each, side], axis=2).reshape(-1, 3))
    return np.concatenate(rows).astype(np.float32)


def decoded(offsets: Floats, squares: Floats) -> Floats:
    """[n, 4] boxes from what the network says relative to its anchors."""
    centres = squares[:, :2] + offsets[:, :2] * _CENTRE * squares[:, 2:]
    half = squares[:, 2:] * np.exp(offsets[:, 2:] * _SIDES) / 2
    return np.concatenate([centres - half, centres + half], axis=1)
