"""The default face model: MTCNN finds faces, dlib's ResNet tells people apart."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.models.specs import ModelSpec
from shared.settings import Settings
from workers.models.faces.mtcnn import FaceDetector
from workers.models.onnx_sessions import open_session
from workers.models.protocols import FaceBox
from workers.models.turns import Turns

_SIDE = 150
_MARGIN = 4  # pixels around what the chip shows, for interpolation
# Where MTCNN sees the landmarks in the chips that dlib cuts for its network: means of 34 faces.
_LANDMARKS = np.array([(47.6, 45), (101.2, 45), (74.4, 79), (49.7, 102), (99.1, 102)])
# The middle of the rows of dlib's network: the mean over 32 people in photos. Only roughly right,
# which is enough: see DlibFaceFinder.
CENTRE = (
    -0.081, 0.089, 0.068, -0.083, -0.109, -0.013, -0.063, -0.107, 0.182, -0.107, 0.183,
    -0.050, -0.236, -0.002, -0.057, 0.181, -0.171, -0.147, -0.075, -0.048, 0.030, 0.029,
    0.031, 0.082, -0.140, -0.331, -0.071, -0.080, -0.020, -0.099, 0.015, 0.060, -0.176,
    0.003, 0.021, 0.088, -0.039, -0.112, 0.157, 0.020, -0.240, -0.020, 0.061, 0.253,
    0.214, 0.003, 0.032, -0.096, 0.118, -0.270, 0.027, 0.144, 0.053, 0.055, 0.064,
    -0.153, 0.032, 0.135, -0.176, 0.037, 0.082, -0.073, -0.010, -0.070, 0.219, 0.116,
    -0.145, -0.139, 0.157, -0.170, -0.049, 0.074, -0.124, -0.193, -0.286, -0.021, 0.373,
    0.134, -0.151, 0.028, -0.077, 0.015, 0.014, 0.138, -0.029, -0.003, -0.090, 0.024,
    0.214, -0.035, 0.001, 0.257, -0.009, -0.026, -0.005, 0.068, -0.132, 0.005, -0.114,
    -0.019, -0.013, -0.028, -0.004, 0.112, -0.192, 0.161, -0.026, -0.012, -0.004, -0.009,
    -0.062, -0.052, 0.156, -0.249, 0.147, 0.177, 0.058, 0.131, 0.050, 0.081, -0.002,
    -0.038, -0.160, -0.047, 0.017, -0.053, 0.011, 0.029,
)  # fmt: skip


class DlibFaceFinder:
    """Faces by MTCNN, rows by dlib's network, drawn onto a sphere around their middle.

    The network was trained for distances: under 0.6 is one person. Their cosine tells less
    (AUC 0.9991 for 0.9998), and cosines around a middle depend on whose faces made it. So a row x
    becomes the point of the unit sphere right over x - middle: nearly the same distances, whatever
    the middle, and cosine = 1 - distance² / 2.
    """

    batch_size = 8

    def __init__(self, spec: ModelSpec, settings: Settings) -> None:
        folder = settings.weights_dir / spec.key
        self.spec = spec
        self._detector = FaceDetector(folder, settings.device)
        self._network = open_session(folder / "faces.onnx", settings.device)
        self._centre = np.array(CENTRE, np.float32)
        self._turns = Turns()

    def warmup(self) -> None:
        self.detect(np.zeros((64, 64, 3), np.uint8))
        self.embed(np.zeros((1, _SIDE, _SIDE, 3), np.uint8))

    def detect(self, rgb: NDArray[np.uint8]) -> list[FaceBox]:
        return self._detector.detect(rgb)

    def align(self, rgb: NDArray[np.uint8], face: FaceBox) -> NDArray[np.uint8]:
        return chip(rgb, face.landmarks, _LANDMARKS, _SIDE)

    def embed(self, aligned: NDArray[np.uint8]) -> NDArray[np.float32]:
        if not len(aligned):
            return np.empty((0, len(CENTRE) + 1), np.float32)
        with self._turns:
            rows = self._network.run(["rows"], {"faces": aligned})[0]
        return _on_sphere(cast("NDArray[np.float32]", rows) - self._centre)


def _on_sphere(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """[n, dim] rows -> unit rows [n, dim + 1]; a row longer than 1 (no face's is) is cut to 1."""
    lengths = np.sqrt((rows**2).sum(axis=1, keepdims=True))
    rows = rows / np.maximum(lengths, 1)
    heights = np.sqrt(np.maximum(1 - (rows**2).sum(axis=1, keepdims=True), 0))
    return np.concatenate([rows, heights], axis=1)


def chip(
    rgb: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    wanted: NDArray[np.float64],
    side: int,
) -> NDArray[np.uint8]:
    """Cut a face out of a picture, [side, side, 3]. Beyond the picture's edges it is black.

    `landmarks` [n, 2] in the picture come as near to `wanted` [n, 2] in the chip as turning,
    scaling and moving allow (least squares).
    """
    turn, move = _similarity(wanted, landmarks.astype(np.float64))
    corners = np.array([(0, 0), (side, 0), (0, side), (side, side)], np.float64) @ turn.T + move
    height, width = rgb.shape[:2]
    first = np.clip(np.floor(corners.min(axis=0)).astype(int) - _MARGIN, 0, (width, height))
    end = np.clip(np.ceil(corners.max(axis=0)).astype(int) + _MARGIN, 0, (width, height))
    if (end <= first).any():
        return np.zeros((side, side, 3), np.uint8)
    part = Image.fromarray(rgb[first[1] : end[1], first[0] : end[0]])
    move = move - first
    factor = int(np.hypot(turn[0, 0], turn[1, 0]))  # pixels of the picture for each of the chip
    if factor >= 2:
        part = part.reduce(factor)
        turn, move = turn / factor, move / factor
    numbers = (turn[0, 0], turn[0, 1], move[0], turn[1, 0], turn[1, 1], move[1])
    return np.asarray(
        part.transform((side, side), Image.Transform.AFFINE, numbers, Image.Resampling.BILINEAR)
    )


def _similarity(
    source: NDArray[np.float64], target: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(turn [2, 2], move [2]) with target = turn @ source + move, by least squares."""
    middle, onto = source.mean(axis=0), target.mean(axis=0)
    z, w = ((points - mean) @ (1, 1j) for points, mean in ((source, middle), (target, onto)))
    ratio = np.vdot(z, w) / np.vdot(z, z).real
    turn = np.array([(ratio.real, -ratio.imag), (ratio.imag, ratio.real)])
    return turn, onto - turn @ middle
