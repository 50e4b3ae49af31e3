"""faceplugin-fr: three small networks of a JavaScript package, whose origin is not stated.

UltraFace finds faces, a network of 68 landmarks tells where eyes, nose and mouth are, and one of
ArcFace's form gives the vectors. The recipe is the package's own, confirmed by running it.
"""

from __future__ import annotations

import numpy as np
from insightface.model_zoo import ArcFaceONNX
from insightface.utils import face_align
from numpy.typing import NDArray
from PIL import Image

from shared.errors import ModelError
from shared.models.specs import ModelSpec
from shared.settings import Settings
from workers.models.faces.arcface import ArcFace
from workers.models.faces.boxes import Floats
from workers.models.faces.face_chips import chip, similarity
from workers.models.faces.ultraface import UltraFace
from workers.models.onnx_sessions import open_session
from workers.models.protocols import FaceBox

_LEAST_SCORE = 0.8  # and it is looked at twice
_CROP = 64
# Which of the 68 points make the five, in the order of protocols.FaceBox.
_FIVE = ((37, 38, 40, 41), (43, 44, 46, 47), (30,), (48, 60), (54, 64))
_TILTED = 8  # degrees, from which on landmarks are looked for twice
# Where the five lie in a crop of an upright face: a little under its middle, as in boxes.
_TEMPLATE = face_align.arcface_dst.astype(np.float64)
_UPRIGHT = (_TEMPLATE - _TEMPLATE.mean(axis=0)) / 112 * _CROP + (0.5 * _CROP, 0.55 * _CROP)


class FacepluginFinder:
    """Faces by UltraFace, vectors by insightface's runner of ArcFace networks."""

    def __init__(self, spec: ModelSpec, settings: Settings) -> None:
        folder, device = settings.weights_dir / spec.key, settings.device
        self._spec = spec
        self._detector = UltraFace(folder / "detect.onnx", device, _LEAST_SCORE)
        self._landmarks = open_session(folder / "landmark.onnx", device)
        feature = folder / "feature.onnx"
        self._arcface = ArcFace(ArcFaceONNX(str(feature), open_session(feature, device)))

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    @property
    def batch_size(self) -> int:
        return self._arcface.batch_size

    def warmup(self) -> None:
        blank = np.zeros((360, 640, 3), np.uint8)
        self.detect(blank)
        self._points(blank, np.array([[10, 10, 90, 110]], np.float32))
        self.embed(np.zeros((self.batch_size, self._arcface.side, self._arcface.side, 3), np.uint8))

    def detect(self, rgb: NDArray[np.uint8]) -> list[FaceBox]:
        boxes, scores = self._detector.detect(rgb)
        if not len(boxes):
            return []
        points = self._points(rgb, boxes)
        return [
            FaceBox((left, top, right, bottom), marks, score)
            for (left, top, right, bottom), marks, score in zip(
                boxes.tolist(), points, scores.tolist(), strict=True
            )
        ]

    def align(self, rgb: NDArray[np.uint8], face: FaceBox) -> NDArray[np.uint8]:
        return self._arcface.align(rgb, face.landmarks)

    def embed(self, aligned: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._arcface.embed(aligned)

    def _points(self, rgb: NDArray[np.uint8], boxes: Floats) -> Floats:
        """[n, 5, 2]: five landmarks of the face in each box."""
        picture, squares = Image.fromarray(rgb), _squares(boxes, (rgb.shape[1], rgb.shape[0]))
        crops = [
            np.asarray(
                picture.resize(
                    (_CROP, _CROP), Image.Resampling.BILINEAR, tuple(square), reducing_gap=2.0
                )
            )
            for square in squares.tolist()
        ]
        sides = squares[:, None, 2:] - squares[:, None, :2]
        points = np.asarray(squares[:, None, :2] + self._five(crops) * sides / _CROP, np.float32)
        tilted = [at for at, five in enumerate(points) if abs(_tilt(five)) > _TILTED]
        if tilted:
            points[tilted] = self._points_upright(rgb, points[tilted])
        return points

    def _points_upright(self, rgb: NDArray[np.uint8], points: Floats) -> Floats:
        """Better landmarks of tilted faces: looked for where the face stands upright.

        The network knows few tilted faces. Measured on 28 people, heads tilted by 25 degrees
        among other views: one photo's faces are 0.38 alike and more, instead of -0.04.
        """
        found = self._five([chip(rgb, five, _UPRIGHT, _CROP) for five in points])
        back = [similarity(_UPRIGHT, five.astype(np.float64)) for five in points]
        moved = [five @ turn.T + move for five, (turn, move) in zip(found, back, strict=True)]
        return np.asarray(moved, np.float32)

    def _five(self, crops: list[NDArray[np.uint8]]) -> Floats:
        """[n, 5, 2]: five landmarks in pixels of each crop."""
        grey = [np.asarray(Image.fromarray(crop).convert("L"), np.float32) for crop in crops]
        found = self._landmarks.run(None, {"input": np.stack(grey)[:, None] / 256})[0]
        points = found.reshape(-1, 68, 2) * _CROP
        return np.stack([points[:, list(group)].mean(axis=1) for group in _FIVE], axis=1)


def _tilt(points: Floats) -> float:
    """Tilt of the head by its landmarks, in degrees."""
    turn, _ = similarity(_UPRIGHT, points.astype(np.float64))
    return float(np.rad2deg(np.arctan2(turn[1, 0], turn[0, 0])))


def _squares(boxes: Floats, size: tuple[int, int]) -> Floats:
    """[n, 4]: squares as high as the boxes, around their middles, within the picture."""
    edge = np.array(size, np.float32)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    sides = np.minimum((boxes[:, 3] - boxes[:, 1])[:, None], edge)
    corner = np.clip(middle - sides / 2, 0, edge - sides)
    return np.concatenate([corner, corner + np.maximum(sides, 1)], axis=1)


def load_faceplugin(settings: Settings, spec: ModelSpec) -> FacepluginFinder:
    """Load faceplugin-fr. Raises ModelError with a sentence for files that are damaged."""
    try:
        return FacepluginFinder(spec, settings)
    except ModelError:
        raise
    except Exception as error:  # insightface reads the file with onnx, whose errors are its own
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"{spec.key} cannot be loaded: {reason}. Remove {settings.weights_dir / spec.key} and "
            f"pull the model again."
        ) from error
