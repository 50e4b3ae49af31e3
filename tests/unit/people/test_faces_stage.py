"""What is kept of a model's detections: none that is nowhere, none twice, crops in order."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.cache.cache_dir import CacheDir, Draft
from shared.cache.faces import FaceRows, face_keys, read_faces
from shared.cache.frame_packs import PackReader
from shared.domain import Stage
from tests.support.fake_models import FAKE_FACES_SPEC
from workers.analysis.stage import ModelBatches
from workers.analysis.stages.faces import _FaceRun
from workers.context import NativeCalls
from workers.liveness import Signals
from workers.media.pictures import GridFrame
from workers.models.protocols import FaceBox

HASH, MODEL, SIDE = "0" * 16, "told", 400
LANDMARKS = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
Box = tuple[float, float, float, float]


class ToldFinder:
    """Finds what it was told; a face's vector points where its brightness does."""

    spec = FAKE_FACES_SPEC
    batch_size = 3

    def __init__(self, found: Sequence[FaceBox]) -> None:
        self.found = found

    def warmup(self) -> None:
        return

    def detect(self, _rgb: NDArray[np.uint8]) -> list[FaceBox]:
        return list(self.found)

    def align(self, rgb: NDArray[np.uint8], face: FaceBox) -> NDArray[np.uint8]:
        box = tuple(round(value) for value in face.box)
        return np.asarray(Image.fromarray(rgb).crop(box).resize((112, 112)))  # type: ignore[arg-type]

    def embed(self, aligned: NDArray[np.uint8]) -> NDArray[np.float32]:
        rows = np.zeros((len(aligned), self.spec.dim or 0), np.float32)
        rows[np.arange(len(rows)), aligned[:, 56, 56, 0] // 10] = 1
        return rows


class Shades:
    """Brighter from left to right, in ten steps of 40 pixels."""

    width = height = SIDE

    def rgb(self, width: int, height: int) -> NDArray[np.uint8]:
        row = (np.arange(width) // (width // 10) * 25).astype(np.uint8)
        return np.broadcast_to(row[None, :, None], (height, width, 3)).copy()

    def thumbnail_jpeg(self, long_side: int = 0) -> bytes:
        return b""


def face(box: Box, score: float = 0.9) -> FaceBox:
    sides = np.array([box[2] - box[0], box[3] - box[1]], np.float32)
    return FaceBox(box, LANDMARKS * sides + np.array(box[:2], np.float32), score)


def kept(
    folder: Path, found: Sequence[FaceBox], seconds: int = 1
) -> tuple[dict[str, NDArray[Any]], list[Image.Image]]:
    """The rows and crops after so many pictures."""
    cache = CacheDir.open(folder / "cache", create=True)
    lease = SimpleNamespace(task_id="task")
    context: Any = SimpleNamespace(
        checkpoint=lambda: None,
        counts=Counter(),
        lease=lease,
        bench=SimpleNamespace(worker="worker", batches=NativeCalls()),
        signals=Signals(),
    )
    finder = ToldFinder(found)
    batches = ModelBatches(context, finder.embed, finder.batch_size, "face")
    draft: Draft
    with cache.draft(HASH, Stage.FACES, MODEL, ".npz", "token") as draft:
        run = _FaceRun(context, finder, batches, draft)
        for second in range(seconds):
            run.add(second, run.prepare(GridFrame(second, second, Shades())).value)
        batches.flush()
        run.publish()
    manifest = cache.manifest(HASH, Stage.FACES, MODEL)
    assert manifest is not None
    assert manifest.pack
    with PackReader(cache.media_dir(HASH) / manifest.pack) as pack:
        crops = [Image.open(io.BytesIO(pack.read(row) or b"")) for row in range(manifest.rows)]
    return read_faces(cache.data_path(HASH, manifest)), crops


def test_faces_of_a_picture_are_ordered_by_key_and_each_keeps_its_crop_and_vector(
    tmp_path: Path,
) -> None:
    found = [face((left, 100, left + 39, 140)) for left in (320, 40, 200)]
    rows, crops = kept(tmp_path, found, seconds=2)
    assert rows["seconds"].tolist() == [0, 0, 0, 1, 1, 1]
    assert rows["embeddings"].argmax(axis=1).tolist() == [2, 12, 20] * 2
    keys = face_keys(rows["seconds"], rows["boxes"])
    assert (keys[1:] > keys[:-1]).all()
    assert set(rows) == set(FaceRows.__slots__)
    for row, crop in enumerate(crops):
        shade = int(np.asarray(crop)[crop.height // 2, crop.width // 2, 0])
        assert abs(shade // 10 - int(rows["embeddings"][row].argmax())) <= 1


def test_of_two_faces_in_one_place_the_more_certain_one_stays(tmp_path: Path) -> None:
    box = (40.0, 100.0, 120.0, 180.0)
    rows, crops = kept(tmp_path, [face(box, 0.6), face(box, 0.8), face(box, 0.7)])
    assert rows["scores"].tolist() == [np.float32(0.8)]
    assert len(crops) == 1


def test_what_a_model_finds_beside_the_picture_or_nowhere_is_no_face(tmp_path: Path) -> None:
    nowhere = float("nan")
    found = [
        face((500, 10, 560, 70)),
        face((-90, 10, -10, 70)),
        face((60, 10, 60, 70)),
        face((90, 10, 60, 70)),
        FaceBox((nowhere, 10, 60, 70), LANDMARKS, 0.9),
        FaceBox((10, 10, float("inf"), 70), LANDMARKS, 0.9),
        FaceBox((10, 10, 60, 70), np.full((5, 2), np.nan, np.float32), 0.9),
        face((10, 10, 60, 70), nowhere),
        face((-20, 350, 60, 430)),
    ]
    rows, crops = kept(tmp_path, found)
    assert rows["boxes"].tolist() == [[0, np.float32(350 / 400), np.float32(0.15), 0.125]]
    assert [crop.size for crop in crops] == [(75, 63)]
