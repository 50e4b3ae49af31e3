"""The faces of reference photos, as an analysis would find them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.cache.faces import FaceMark
from shared.domain import ModelKind
from shared.query.messages import FoundFace, FoundFaces
from workers.analysis.face_quality import marks, sharpness, shorter_side
from workers.media.pictures import fit
from workers.models.pool import ModelPool
from workers.models.protocols import FaceBox, FaceFinder

DETECTION_SIDE = 1280  # pixels of the long side at which faces are looked for, as in an analysis
LONGEST_SIDE = 2 * DETECTION_SIDE  # of the picture that they are cut from


def find_faces(pool: ModelPool, model: str, rgb: NDArray[np.uint8]) -> FoundFaces:
    """Every face in an upright picture of up to LONGEST_SIDE. Raises ModelError.

    The model is loaded first where it is not.
    """
    height, width = rgb.shape[:2]
    size = fit(width, height, DETECTION_SIDE)
    small = rgb
    if size != (width, height):
        small = np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BOX))
    with pool.lend(ModelKind.FACES, model) as finder:
        boxes = [face.scaled(width / size[0]) for face in finder.detect(small)]
        return FoundFaces(faces=tuple(_found(finder, rgb, box) for box in boxes))


def _found(finder: FaceFinder, rgb: NDArray[np.uint8], face: FaceBox) -> FoundFace:
    aligned = finder.align(rgb, face)
    found = marks(shorter_side(face), sharpness(aligned), face.landmarks)
    (row,) = finder.embed(aligned[None])
    return FoundFace(
        vector=row.astype("<f2").tobytes(),
        is_small=FaceMark.SMALL in found,
        is_blurred=FaceMark.BLURRED in found,
        is_turned=FaceMark.TURNED in found,
    )
