"""Vectors of faces by insightface's own code: its alignment, and its runner of ArcFace networks."""

from __future__ import annotations

import threading
import warnings

import numpy as np
from insightface.model_zoo import ArcFaceONNX
from insightface.utils import face_align
from numpy.typing import NDArray
from PIL import Image

from workers.models.turns import Turns

# insightface's own cv2: its threads would spin on cores that other workers use.
face_align.cv2.setNumThreads(1)

CPU_BATCH, CUDA_BATCH = 8, 64
_filters = threading.Lock()  # of warnings: a process has one list of them
_SPREAD = 0.5  # from eyes to mouth in an aligned face, as a part of its side


class ArcFace:
    """One network of ArcFace's form. Pictures are RGB here; insightface's are BGR."""

    def __init__(self, network: ArcFaceONNX) -> None:
        self._network = network
        on_gpu = "CUDAExecutionProvider" in network.session.get_providers()
        self.batch_size = CUDA_BATCH if on_gpu else CPU_BATCH
        self._one_by_one = network.input_shape[0] == 1  # some packs were exported so
        self._turns = Turns()

    @property
    def side(self) -> int:
        return int(self._network.input_size[0])

    @property
    def dim(self) -> int:
        return int(self._network.output_shape[1])

    def align(self, rgb: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
        rgb, landmarks = _not_much_larger(rgb, landmarks, self.side)
        with _filters, warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message="`estimate` is deprecated", category=FutureWarning
            )
            return np.asarray(face_align.norm_crop(rgb, landmarks, self.side), np.uint8)

    def embed(self, aligned: NDArray[np.uint8]) -> NDArray[np.float32]:
        pictures = list(np.ascontiguousarray(aligned[..., ::-1]))
        if not pictures:
            return np.empty((0, self.dim), np.float32)
        batches = [[picture] for picture in pictures] if self._one_by_one else [pictures]
        with self._turns:
            rows = np.concatenate([self._network.get_feat(batch) for batch in batches])
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.maximum(lengths, 1e-12), np.float32)


def _not_much_larger(
    rgb: NDArray[np.uint8], landmarks: NDArray[np.float32], side: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A face and what is around it, at less than double the size that it is to have.

    norm_crop takes single pixels of a larger one, and with them the grain of the picture: faces of
    900 pixels of one person then are 0.06 less alike.
    """
    first, last = landmarks.min(axis=0), landmarks.max(axis=0)
    extent = float((last - first).max())
    factor = int(extent / (_SPREAD * side))
    if factor < 2:
        return rgb, landmarks
    corner = np.maximum(0, first - 1.5 * extent).astype(int)
    end = np.maximum(corner + factor, last + 1.5 * extent).astype(int)
    part = rgb[corner[1] : end[1], corner[0] : end[0]]
    if not part.size:  # landmarks beyond the picture
        return rgb, landmarks
    small = np.asarray(Image.fromarray(part).reduce(factor))
    return small, ((landmarks - corner + 0.5) / factor - 0.5).astype(np.float32)
