"""Finds faces and five landmarks of each: MTCNN's three networks, each stricter than the last.

The first looks at the whole picture at many sizes, the other two at what it proposes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workers.models.onnx_sessions import open_session
from workers.models.protocols import FaceBox

Floats = NDArray[np.float32]
_CELL = 12  # pixels of a face in the first network
_STRIDE = 2
_STEP = 0.709  # from one size of the picture to the next: half the area
_MOST_PLACES = 2000  # that the first network proposes at one size; the best are kept
_MOST_PROPOSALS = 600  # at all sizes

# Of the three networks. They let through two things on 300 photos without people (a Sudoku, a
# horse) and find 33 of 34 labelled faces of 40 pixels.
_THRESHOLDS = (0.7, 0.8, 0.9)
_LEAST = 40  # pixels: people in smaller faces are not told apart well
_LARGEST = 1920  # pixels of a picture's longer side; beyond, the smallest face grows with it


class FaceDetector:
    """MTCNN: three networks, each of which looks closer at what the one before let through."""

    def __init__(self, folder: Path, device: str) -> None:
        self._nets = [open_session(folder / f"{name}.onnx", device) for name in _NAMES]

    def detect(self, rgb: NDArray[np.uint8]) -> list[FaceBox]:
        """All faces in a picture, the surest first."""
        picture = Image.fromarray(rgb)
        boxes = self._proposals(picture)
        if len(boxes):
            boxes = self._refined(picture, boxes)
        return self._faces(picture, boxes) if len(boxes) else []

    def _proposals(self, picture: Image.Image) -> Floats:
        """Squares [n, 4] that may hold a face."""
        found = [np.empty((0, 9), np.float32)]
        scale = _CELL / (_LEAST * max(1.0, max(picture.size) / _LARGEST))
        level = picture
        while min(picture.size) * scale >= _CELL:
            size = (round(picture.width * scale), round(picture.height * scale))
            level = level.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
            ends = np.array(picture.size) / size  # may differ in x and y
            found.append(self._places(level, ends.astype(np.float32)))
            scale *= _STEP
        every = np.concatenate(found)
        every = every[_distinct(every[:, :4], every[:, 4], 0.7)[:_MOST_PROPOSALS]]
        return _squared(_corrected(every[:, :4], every[:, 5:]))

    def _places(self, level: Image.Image, ends: Floats) -> Floats:
        """[n, 9] box in the picture (`ends` times as large as the level), score, corrections."""
        pixels = np.asarray(level).transpose(2, 0, 1)[None]
        scores, corrections = self._nets[0].run(None, {"pixels": pixels})
        rows, columns = np.nonzero(scores[0, 1] >= _THRESHOLDS[0])
        best = np.argsort(-scores[0, 1, rows, columns], kind="stable")[:_MOST_PLACES]
        rows, columns = rows[best], columns[best]
        corners = np.stack([columns, rows], axis=1).astype(np.float32) * _STRIDE
        score, correction = scores[0, 1, rows, columns], corrections[0][:, rows, columns].T
        places = np.concatenate(
            [corners * ends, (corners + _CELL) * ends, score[:, None], correction], axis=1
        )
        return np.asarray(places[_distinct(places[:, :4], score, 0.5)], np.float32)

    def _refined(self, picture: Image.Image, boxes: Floats) -> Floats:
        scores, corrections = self._nets[1].run(None, {"pixels": _crops(picture, boxes, 24)})
        sure = scores[:, 1] > _THRESHOLDS[1]
        boxes, scores, corrections = boxes[sure], scores[sure, 1], corrections[sure]
        keep = _distinct(boxes, scores, 0.7)
        return _squared(_corrected(boxes[keep], corrections[keep]))

    def _faces(self, picture: Image.Image, boxes: Floats) -> list[FaceBox]:
        scores, corrections, marks = self._nets[2].run(None, {"pixels": _crops(picture, boxes, 48)})
        sure = scores[:, 1] > _THRESHOLDS[2]
        boxes, scores, corrections, marks = (a[sure] for a in (boxes, scores, corrections, marks))
        sides = (boxes[:, 2:] - boxes[:, :2])[:, None]
        points = marks.reshape(-1, 2, 5).transpose(0, 2, 1) * sides + boxes[:, None, :2]
        boxes = _corrected(boxes, corrections)
        return [
            FaceBox(tuple(boxes[at].tolist()), points[at].astype(np.float32), float(scores[at, 1]))
            for at in _distinct(boxes, scores[:, 1], 0.6, of_smaller=True)
        ]


_NAMES = ("pnet", "rnet", "onet")


def _corrected(boxes: Floats, corrections: Floats) -> Floats:
    sides = boxes[:, 2:] - boxes[:, :2]
    return (boxes + corrections * np.tile(sides, 2)).astype(np.float32)


def _squared(boxes: Floats) -> Floats:
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.concatenate([middle - half, middle + half], axis=1)


def _crops(picture: Image.Image, boxes: Floats, side: int) -> NDArray[np.uint8]:
    """[n, 3, side, side] parts of a picture; what lies beyond its edges is black."""
    crops = np.zeros((len(boxes), side, side, 3), np.uint8)
    for crop, box in zip(crops, boxes, strict=True):
        inside = np.clip(box, 0, [*picture.size, *picture.size])
        scale = side / max(1e-3, float(box[2] - box[0]))
        left, top, right, bottom = np.rint((inside - np.tile(box[:2], 2)) * scale).astype(int)
        if right <= left or bottom <= top or (inside[2:] - inside[:2]).min() < 1:
            continue
        part = picture.resize(
            (right - left, bottom - top),
            Image.Resampling.BILINEAR,
            tuple(inside.tolist()),
            reducing_gap=2.0,
        )
        crop[top:bottom, left:right] = np.asarray(part)
    return crops.transpose(0, 3, 1, 2)


def _distinct(
    boxes: Floats, scores: Floats, most: float, *, of_smaller: bool = False
) -> NDArray[np.intp]:
    """Return indexes, best first, of boxes that overlap no better one by more than `most`.

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
