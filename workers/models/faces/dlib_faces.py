"""The default face model: MTCNN finds faces, dlib's ResNet tells people apart."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from shared.models.specs import ModelSpec
from shared.settings import Settings
from workers.models.faces.dlib_centre import CENTRE
from workers.models.faces.face_chips import chip
from workers.models.faces.mtcnn import FaceDetector
from workers.models.onnx_sessions import open_session
from workers.models.protocols import FaceBox
from workers.models.turns import Turns

_SIDE = 150
# Where MTCNN sees the landmarks in the chips that dlib cuts for its network: means of 34 faces.
_LANDMARKS = np.array([(47.6, 45), (101.2, 45), (74.4, 79), (49.7, 102), (99.1, 102)])


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
        self._spec = spec
        self._detector = FaceDetector(folder, settings.device)
        self._network = open_session(folder / "faces.onnx", settings.device)
        self._centre = np.array(CENTRE, np.float32)
        self._turns = Turns()

    @property
    def spec(self) -> ModelSpec:
        return self._spec

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


def load_dlib(settings: Settings, spec: ModelSpec) -> DlibFaceFinder:
    """Load the dlib face model. Raises ModelError with a sentence for weights that are damaged."""
    return DlibFaceFinder(spec, settings)
