"""How well a face can be told from others: its size, its sharpness, where it looks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.cache.faces import FaceMark
from workers.models.protocols import FaceBox

DETECTION_SIDE = 1280  # pixels of the long side at which faces are looked for
# Below about 40 pixels embeddings of different people begin to meet (measured: docs/limits.md).
SMALLEST_SIDE = 40.0
SHARPNESS_SIDE = 56  # pixels at which sharpness is compared, whatever size the face comes in
# As blurred as by a Gaussian of 2 to 3 % of the face's height: from there on embeddings of
# dlib-resnet drift away from their own sharp ones as far as another person is.
DULLEST = 8.0
# Share of the narrower half of a face, from the nose to an eye along the line of the eyes: 0.5
# from the front, 0 in profile. And where the nose lies between eyes (0) and mouth (1).
_NARROWEST_HALF = 0.12
_NOSE_RANGE = (0.2, 0.9)


def sharpness(aligned: NDArray[np.uint8]) -> float:
    """Standard deviation of the Laplacian of an upright face [h, w, 3], in grey levels.

    Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy" (2000), on faces of one
    size and of one contrast, so that dark faces do not count as blurred.
    """
    grey = aligned.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    step = max(1, round(len(grey) / SHARPNESS_SIDE))
    side = len(grey) // step * step
    grey = grey[:side, :side].reshape(side // step, step, -1, step).mean(axis=(1, 3))
    laplacian = (
        grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    )
    contrast = float(grey.std())
    return float(laplacian.std()) * 50.0 / max(contrast, 12.0)


def is_turned(landmarks: NDArray[np.float32]) -> bool:
    """Whether a face looks far to the side, up or down; landmarks [5, 2] in any unit."""
    left_eye, right_eye, nose = landmarks[0], landmarks[1], landmarks[2]
    mouth = (landmarks[3] + landmarks[4]) / 2
    eyes = right_eye - left_eye
    width = float(eyes @ eyes)
    if width == 0:
        return True
    along = float((nose - left_eye) @ eyes) / width
    if min(along, 1 - along) < _NARROWEST_HALF:
        return True
    down = np.array([-eyes[1], eyes[0]])
    middle = (left_eye + right_eye) / 2
    height = float((mouth - middle) @ down)
    if height <= 0:
        return True
    at = float((nose - middle) @ down) / height
    return not _NOSE_RANGE[0] <= at <= _NOSE_RANGE[1]


def shorter_side(face: FaceBox) -> float:
    left, top, right, bottom = face.box
    return max(0.0, min(right - left, bottom - top))


def marks(side: float, sharp: float, landmarks: NDArray[np.float32]) -> FaceMark:
    """Why this face must not form a cluster. `side`: pixels of the source."""
    found = FaceMark(0)
    if side < SMALLEST_SIDE:
        found |= FaceMark.SMALL
    if sharp < DULLEST:
        found |= FaceMark.BLURRED
    if is_turned(landmarks):
        found |= FaceMark.TURNED
    return found
