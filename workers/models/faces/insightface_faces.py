"""Any of insightface's model packs, from a folder, run by insightface's own code."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from insightface.model_zoo import SCRFD, ArcFaceONNX, get_model
from insightface.model_zoo.package_manifest import has_model_package_manifest
from insightface.utils import ensure_available, face_align
from numpy.typing import NDArray
from PIL import Image

from shared.errors import ModelError
from shared.models.specs import ModelSpec
from shared.models.speech_and_faces import pack_folder, pack_scale
from shared.settings import Settings
from workers.models.onnx_sessions import providers, session_options
from workers.models.protocols import FaceBox
from workers.models.turns import Turns

# insightface's own sizes: the larger for most faces (one of 40 pixels in a frame of 1280 is 20
# here, and SCRFD is published for 10 and more), the smaller for those that fill the picture.
_LONGER_SIDE, _SMALL = 640, (128, 128)
_GRID = 32  # SCRFD's largest stride
_LEAST_SCORE = 0.5  # insightface's default
# How the files of published packs begin; others are tried after them.
_LIKELY = ("det", "scrfd", "w600k", "glintr")
_TASKS = ("detection", "recognition")
# insightface's own cv2: its threads would spin on cores that other workers use.
face_align.cv2.setNumThreads(1)

CPU_BATCH, CUDA_BATCH = 8, 64
_filters = threading.Lock()  # of warnings: a process has one list of them
_SPREAD = 0.5  # from eyes to mouth in an aligned face, as a part of its side


class InsightFaceFinder:
    """SCRFD finds faces and five landmarks, an ArcFace network gives the vectors.

    Pictures are RGB here; insightface's are BGR.
    """

    def __init__(self, spec: ModelSpec, detector: SCRFD, network: ArcFaceONNX) -> None:
        self._dim, self._side = int(network.output_shape[1]), int(network.input_size[0])
        self.spec = msgspec.structs.replace(spec, dim=self._dim)
        on_gpu = "CUDAExecutionProvider" in network.session.get_providers()
        self.batch_size = CUDA_BATCH if on_gpu else CPU_BATCH
        self._detector, self._network = detector, network
        self._one_by_one = network.input_shape[0] == 1  # some packs were exported so
        self._turns = Turns()

    def warmup(self) -> None:
        self.detect(np.zeros((360, 640, 3), np.uint8))
        self.embed(np.zeros((self.batch_size, self._side, self._side, 3), np.uint8))

    def detect(self, rgb: NDArray[np.uint8]) -> list[FaceBox]:
        if min(rgb.shape[:2]) * _SMALL[0] < max(rgb.shape[:2]):  # less than a pixel is left
            return []
        bgr = np.ascontiguousarray(rgb[..., ::-1])
        sizes = [_SMALL, _input_size(*rgb.shape[:2])]
        rows, points = self._detector.detect(bgr, input_size=sizes, det_thresh=_LEAST_SCORE)
        return [
            FaceBox((left, top, right, bottom), np.asarray(marks, np.float32), min(1.0, score))
            for (left, top, right, bottom, score), marks in zip(rows.tolist(), points, strict=True)
        ]

    def align(self, rgb: NDArray[np.uint8], face: FaceBox) -> NDArray[np.uint8]:
        rgb, landmarks = _not_much_larger(rgb, face.landmarks, self._side)
        with _filters, warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message="`estimate` is deprecated", category=FutureWarning
            )
            return np.asarray(face_align.norm_crop(rgb, landmarks, self._side), np.uint8)

    def embed(self, aligned: NDArray[np.uint8]) -> NDArray[np.float32]:
        pictures = list(np.ascontiguousarray(aligned[..., ::-1]))
        if not pictures:
            return np.empty((0, self._dim), np.float32)
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


def _input_size(height: int, width: int) -> tuple[int, int]:
    """Width and height for the detector: the picture's shape, so that no square is half empty."""
    scale = _LONGER_SIDE / max(height, width)
    across, down = (max(1, -(-round(side * scale) // _GRID)) * _GRID for side in (width, height))
    return across, down


def load_insightface(
    settings: Settings, spec: ModelSpec, folder: Path | None = None
) -> InsightFaceFinder:
    """Load a pack; raise ModelError for one that is missing, damaged or not whole."""
    folder = folder or pack_folder(settings.weights_dir, spec)
    pack_scale(folder)  # says what is wrong with the operator's own numbers
    if not folder.is_dir():  # else insightface would download it
        raise ModelError(f"{spec.key} is not there: {folder} is no folder.")
    try:
        networks = _networks(folder, settings.device)
        missing = [task for task in _TASKS if task not in networks]
        if missing:
            raise ModelError(f"{folder} holds no network for {' and none for '.join(missing)}.")
        detector, network = (networks[task] for task in _TASKS)
        _require_fitting(folder, detector, network)
        return InsightFaceFinder(spec, detector, network)
    except ModelError:
        raise
    except Exception as error:  # insightface, onnx and ONNX Runtime each raise their own
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ModelError(f"{spec.key} cannot be loaded: {reason}") from error


def _networks(folder: Path, device: str) -> dict[str, Any]:
    """The networks of a pack by task. Others in it, which may be large, stay closed."""
    options = {
        "providers": providers(device),
        "sess_options": session_options(),
        "static_shape_sessions": False,  # else one more copy of SCRFD for each shape of picture
    }
    if has_model_package_manifest(folder):
        return {task: get_model(str(folder), model_task=task, **options) for task in _TASKS}
    found: dict[str, Any] = {}
    files = folder.glob("*.onnx")
    for path in sorted(files, key=lambda path: (not path.name.startswith(_LIKELY), path.name)):
        if all(task in found for task in _TASKS):
            break
        network = get_model(str(path), **options)
        if network is not None:
            found.setdefault(network.taskname, network)
    return found


def _require_fitting(folder: Path, detector: Any, network: Any) -> None:
    """Raise ModelError for networks that insightface took for what they are not."""
    if not isinstance(detector, SCRFD) or not detector.use_kps:
        raise ModelError(f"The detector in {folder} gives no landmarks, so faces cannot be turned.")
    shape: Sequence[Any] = network.output_shape if isinstance(network, ArcFaceONNX) else ()
    if len(shape) != 2 or not isinstance(shape[1], int):
        raise ModelError(f"The recognition network in {folder} gives no vectors of a fixed size.")


def download(settings: Settings, spec: ModelSpec, report: Callable[[str], None]) -> None:
    """Fetch a pack through insightface's own storage, prove that it loads, put it in place."""
    target = pack_folder(settings.weights_dir, spec)
    size = f" ({spec.size_bytes / 1e6:.0f} MB)" if spec.size_bytes else ""
    report(f"downloading {spec.pretrained}{size} from insightface's releases")
    with tempfile.TemporaryDirectory(dir=settings.weights_dir, prefix=f".{spec.key}-") as scratch:
        with _explained(spec, target), contextlib.redirect_stdout(sys.stderr):
            ensure_available("models", spec.pretrained, root=scratch)
        # Some archives hold a folder of the pack's name, some its files.
        found = sorted(Path(scratch).rglob("*.onnx"), key=lambda path: len(path.parts))
        if not found:
            raise ModelError(f"What insightface published as {spec.pretrained} holds no networks.")
        pack = found[0].parent
        load_insightface(settings, spec, pack).warmup()
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(pack, target)
    report(f"{spec.key} is ready")


@contextlib.contextmanager
def _explained(spec: ModelSpec, target: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # requests, zipfile and insightface each raise their own
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ModelError(
            f"insightface could not fetch {spec.pretrained}: {reason}. Check the network, or put "
            f"the pack's .onnx files into {target} by hand."
        ) from error
