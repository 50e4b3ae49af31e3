"""The faces artefact: who can be seen on the grid, with a crop of each face."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.cache.cache_dir import Draft
from shared.cache.faces import FaceRows, face_keys, write_faces
from shared.cache.frame_packs import PackWriter
from shared.domain import AnalyzeSpec, ProgressType, Stage
from shared.errors import Missing, ModelError
from shared.people.collection import Collection
from workers.analysis.analyzed_file import AnalyzedFile
from workers.analysis.face_quality import DETECTION_SIDE, marks, sharpness, shorter_side
from workers.analysis.stage import ModelBatches, PictureStage, Prepared, StageRun
from workers.context import Context
from workers.media.media_reader import MediaReader
from workers.media.pictures import GridFrame, Picture, encode_rgb, fit
from workers.models.protocols import FaceBox, FaceFinder
from workers.recluster.grouping import bring_up_to_date

log = logging.getLogger(__name__)

CROP_SIDE = 112  # pixels of a face's shorter side, where the source has so many
_LONGEST_SIDE = 8192  # of a picture that faces are cut from: 8K whole, gigapixel stills not
_MARGIN = 0.25  # of the box, around a crop
_STORED_SIDE = 256  # pixels of a stored crop's long side
_CROP_QUALITY = 88


class FaceStage(PictureStage):
    """Publishes Stage.FACES of the Item's model and puts the files into its Collection."""

    part = ProgressType.FACES

    def __init__(self, context: Context, spec: AnalyzeSpec) -> None:
        super().__init__(context, spec)
        self._lent = ExitStack()
        self._batches: ModelBatches | None = None
        self._finder: FaceFinder | None = None
        self._gathered: set[str] = set()

    def begin(self) -> None:
        """What is tried again may fail for good, as what kills workers: then nobody comes after."""
        if self.spec.collection and self.context.lease.tries:
            self._group_what_is_left()

    def is_published(self, file: AnalyzedFile) -> bool:
        return file.published(Stage.FACES, self.spec.face_model) is not None

    @contextmanager
    def open(self, file: AnalyzedFile, reader: MediaReader) -> Iterator[StageRun]:
        if self._finder is None:
            self._finder = self._lent.enter_context(self.context.face_model(self.spec.face_model))
            self._batches = ModelBatches(
                self.context, self._finder.embed, self._finder.batch_size, "face"
            )
        assert self._batches
        with file.draft(Stage.FACES, self.spec.face_model, ".npz") as draft:
            yield _FaceRun(self.context, self._finder, self._batches, draft)

    def flush(self) -> None:
        if self._batches:
            self._batches.flush()

    def gather(self, files: Sequence[AnalyzedFile]) -> None:
        hashes = {file.hash_str for file in files}
        if hashes:
            self._gathered |= hashes
            task_id = self.context.lease.task_id
            self._collection().add(self.spec.face_model, sorted(hashes), task_id)

    def finish(self) -> None:
        """Group what has come; also what earlier Items and Tasks have left.

        Any Item may be the last of its Task, also one whose files failed or want no faces.
        """
        if self._gathered:
            bring_up_to_date(self.context, self.spec, self._collection(), self._gathered)
        elif self.spec.collection and not self.context.others_will_follow():
            self._group_what_is_left()

    def close(self) -> None:
        self._lent.close()

    def _group_what_is_left(self) -> None:
        try:
            bring_up_to_date(self.context, self.spec, self._collection(create=False), ())
        except Missing:  # no file of the Task could be read
            return
        except ModelError as error:  # of no concern to the files of this Item
            log.warning("%s is not grouped: %s", self.spec.collection, error.message)

    def _collection(self, *, create: bool = True) -> Collection:
        root = self.context.cache(self.spec.cache_dir).root
        return Collection.open(root, self.spec.collection, create=create)


@dataclass(slots=True)
class _Face:
    """One detection on its way to a row."""

    second: int
    box: tuple[float, float, float, float]  # x, y, width, height as parts of the picture
    landmarks: NDArray[np.float32]  # the same
    score: float
    side: float  # shorter side in pixels of the source
    sharp: float
    marks: int
    embedding: NDArray[np.float16] | None = None

    def take_row(self, row: NDArray[np.float32]) -> None:
        self.embedding = row.astype(np.float16)


@dataclass(frozen=True, slots=True)
class _SeenFace:
    """A face as a decode thread leaves it: for the model, and for whoever looks at it."""

    face: _Face
    aligned: NDArray[np.uint8]
    crop: bytes


class _FaceRun(StageRun):
    def __init__(
        self, context: Context, finder: FaceFinder, batches: ModelBatches, draft: Draft
    ) -> None:
        self._context = context
        self._finder = finder
        self._batches = batches
        self._draft = draft
        self._faces: list[_Face] = []
        assert draft.pack is not None
        self._pack = PackWriter(draft.pack)  # crops do not wait in memory: there may be 100,000

    def prepare(self, frame: GridFrame) -> Prepared[list[_SeenFace]]:
        picture, finder = frame.picture, self._finder
        small = picture.rgb(*fit(picture.width, picture.height, DETECTION_SIDE))
        found = [face for face in finder.detect(small) if _is_within(face, small)]
        if not found:
            return Prepared([], 0)
        source, scale = _close_up(picture, small, found)
        to_full = picture.width / source.shape[1]
        scaled = [detection.scaled(scale) for detection in found]
        faces = [_face(frame.second, detection, source, to_full) for detection in scaled]
        seen = []
        for place in _in_order(faces):
            face, detection = faces[place], scaled[place]
            aligned = finder.align(source, detection)
            face.sharp = sharpness(aligned)
            face.marks = int(marks(face.side, face.sharp, detection.landmarks))
            seen.append(_SeenFace(face, aligned, _crop(source, face)))
        return Prepared(seen, sum(each.aligned.nbytes + len(each.crop) for each in seen))

    def add(self, second: int, prepared: list[_SeenFace]) -> None:
        for seen in prepared:
            self._pack.add(len(self._faces), seen.crop)
            self._faces.append(seen.face)
            self._batches.add(seen.aligned, seen.face.take_row)

    def publish(self) -> None:
        rows = _rows(self._faces, self._finder.spec.dim or 0)
        write_faces(self._draft.file, rows)
        self._pack.finish()
        self._draft.publish(
            rows=len(rows),
            dim=rows.embeddings.shape[1],
            task_id=self._context.lease.task_id,
            worker=self._context.bench.worker,
        )


def _is_within(face: FaceBox, picture: NDArray[np.uint8]) -> bool:
    """Whether anything of it is in the picture; models may also give what is no number."""
    height, width = picture.shape[:2]
    left, top, right, bottom = face.box
    is_in = max(left, 0) < min(right, width) and max(top, 0) < min(bottom, height)
    return is_in and bool(np.isfinite([*face.box, face.score, *face.landmarks.ravel()]).all())


def _close_up(
    picture: Picture, small: NDArray[np.uint8], found: Sequence[FaceBox]
) -> tuple[NDArray[np.uint8], float]:
    """The picture at a size at which its smallest face is large enough; its scale to `small`."""
    height, width = small.shape[:2]
    smallest = max(1.0, min(shorter_side(face) for face in found))
    wanted = max(width, height) * CROP_SIDE / smallest
    longest = max(picture.width, picture.height)
    if smallest >= CROP_SIDE or longest <= max(width, height):
        return small, 1.0
    size = fit(picture.width, picture.height, round(min(longest, wanted * 1.05, _LONGEST_SIDE)))
    return picture.rgb(*size), size[0] / width


def _face(second: int, detection: FaceBox, source: NDArray[np.uint8], to_full: float) -> _Face:
    height, width = source.shape[:2]
    left, top, right, bottom = detection.box
    left, right = max(0.0, left), min(float(width), right)
    top, bottom = max(0.0, top), min(float(height), bottom)
    return _Face(
        second=second,
        box=(left / width, top / height, (right - left) / width, (bottom - top) / height),
        landmarks=(detection.landmarks / np.array([width, height])).astype(np.float32),
        score=detection.score,
        side=shorter_side(detection) * to_full,
        sharp=0.0,
        marks=0,
    )


def _crop(source: NDArray[np.uint8], face: _Face) -> bytes:
    """JPEG of the face with a margin around it, as far as the picture goes."""
    height, width = source.shape[:2]
    left, top, wide, high = np.array(face.box) * (width, height, width, height)
    aside, above = _MARGIN * wide, _MARGIN * high
    x0, y0 = max(0, int(left - aside)), max(0, int(top - above))
    x1, y1 = min(width, round(left + wide + aside)), min(height, round(top + high + above))
    cut = source[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
    size = fit(cut.shape[1], cut.shape[0], _STORED_SIDE)
    if size != (cut.shape[1], cut.shape[0]):
        cut = np.asarray(Image.fromarray(cut).resize(size, Image.Resampling.BOX))
    return encode_rgb(cut, _CROP_QUALITY)


def _in_order(faces: Sequence[_Face]) -> list[int]:
    """Places of the faces of one picture by key; of two in one place the more certain stays."""
    certain = sorted(range(len(faces)), key=lambda n: -faces[n].score)
    boxes = np.array([faces[n].box for n in certain], np.float32)
    seconds = np.array([faces[n].second for n in certain], np.uint32)
    _, order = np.unique(face_keys(seconds, boxes), return_index=True)
    return [certain[at] for at in order.tolist()]


def _rows(faces: Sequence[_Face], dim: int) -> FaceRows:
    """Faces that are in the order of their keys."""
    if faces:
        embeddings = np.array([face.embedding for face in faces], np.float16)
    else:
        embeddings = np.zeros((0, dim), np.float16)
    return FaceRows(
        seconds=np.array([face.second for face in faces], np.uint32),
        boxes=np.array([face.box for face in faces], np.float32).reshape(-1, 4),
        landmarks=np.array([face.landmarks for face in faces], np.float32).reshape(-1, 5, 2),
        scores=np.array([face.score for face in faces], np.float32),
        sharpness=np.array([face.sharp for face in faces], np.float32),
        sizes=np.array([face.side for face in faces], np.float32),
        marks=np.array([face.marks for face in faces], np.uint8),
        embeddings=embeddings,
    )
