"""What every FaceFinder must do, as tests that each model's own test file inherits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from shared.domain import ModelKind
from shared.models.specs import FaceScale
from workers.models.protocols import FaceBox, FaceFinder

SIZES = ((360, 640), (720, 1280), (40, 40), (7, 900), (900, 7), (1, 1))
LEFT_EYE, RIGHT_EYE, NOSE, MOUTH_LEFT, MOUTH_RIGHT = range(5)


def resized(rgb: NDArray[np.uint8], by: float) -> NDArray[np.uint8]:
    height, width = (round(size * by) for size in rgb.shape[:2])
    return np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.LANCZOS))


def plain(height: int, width: int, what: str) -> NDArray[np.uint8]:
    """A picture without anything in it."""
    if what == "noise":
        return np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    return np.full((height, width, 3), {"black": 0, "grey": 128, "white": 255}[what], np.uint8)


class FaceFinderContract:
    """Subclasses name the fixtures `finder` and `portrait`, for the whole class.

    The portrait is an upright picture of at least 300 pixels with one whole face of 80 to 300.
    """

    closeness: ClassVar[float] = 1e-5  # of rows that should be the same

    @pytest.fixture(scope="class")
    @classmethod
    def face(cls, finder: FaceFinder, portrait: NDArray[np.uint8]) -> FaceBox:
        (face,) = finder.detect(portrait)
        return face

    @pytest.fixture(scope="class")
    @classmethod
    def chip(
        cls, finder: FaceFinder, portrait: NDArray[np.uint8], face: FaceBox
    ) -> NDArray[np.uint8]:
        return finder.align(portrait, face)

    def test_threads_share_it(self, finder: FaceFinder, portrait: NDArray[np.uint8]) -> None:
        def work(size: float) -> tuple[FaceBox, NDArray[np.float32]]:
            rgb = resized(portrait, size)
            (face,) = finder.detect(rgb)
            return face, finder.embed(finder.align(rgb, face)[None])

        sizes = [1, 1.25, 1.5] * 2
        alone = {size: work(size) for size in set(sizes)}
        with ThreadPoolExecutor(4) as threads:
            for size, (face, row) in zip(sizes, threads.map(work, sizes), strict=True):
                assert face.box == alone[size][0].box
                np.testing.assert_allclose(row, alone[size][1], atol=self.closeness)

    def test_its_scale_tells_what_distances_mean(self, finder: FaceFinder) -> None:
        scale = scale_of(finder)
        assert finder.spec.kind is ModelKind.FACES
        assert -1 < scale.person < scale.track < 1
        assert finder.batch_size >= 1

    def test_a_face_is_found_where_it_is(self, portrait: NDArray[np.uint8], face: FaceBox) -> None:
        left, top, right, bottom = face.box
        assert 0 < face.score <= 1
        assert 80 <= right - left <= 300
        assert 80 <= bottom - top <= 300
        height, width = portrait.shape[:2]
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height

    def test_landmarks_are_in_the_box_and_in_their_order(self, face: FaceBox) -> None:
        points = face.landmarks
        assert (points.shape, points.dtype) == ((5, 2), np.dtype(np.float32))
        left, top, right, bottom = face.box
        assert (points > (left, top)).all()
        assert (points < (right, bottom)).all()
        x, y = points.T
        assert x[LEFT_EYE] < x[NOSE] < x[RIGHT_EYE]
        assert x[MOUTH_LEFT] < x[MOUTH_RIGHT]
        assert max(y[LEFT_EYE], y[RIGHT_EYE]) < y[NOSE] < min(y[MOUTH_LEFT], y[MOUTH_RIGHT])

    def test_a_face_becomes_a_unit_row(self, finder: FaceFinder, chip: NDArray[np.uint8]) -> None:
        assert chip.dtype == np.uint8
        assert chip.shape == (chip.shape[0], chip.shape[0], 3)
        rows = finder.embed(np.stack([chip, chip[::-1]]))
        assert rows.dtype == np.float32
        assert rows.shape == (2, finder.spec.dim)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-4)

    def test_no_face_is_no_row(self, finder: FaceFinder, chip: NDArray[np.uint8]) -> None:
        assert finder.embed(np.empty((0, *chip.shape), np.uint8)).shape == (0, finder.spec.dim)

    def test_a_face_has_the_same_row_alone_and_in_a_batch(
        self, finder: FaceFinder, chip: NDArray[np.uint8]
    ) -> None:
        chips = np.stack([np.roll(chip, 3 * n, axis=1) for n in range(finder.batch_size + 1)])
        together = finder.embed(chips)
        alone = np.concatenate([finder.embed(one[None]) for one in chips])
        np.testing.assert_allclose(together, alone, atol=self.closeness)

    def test_the_same_picture_has_the_same_faces_every_time(
        self, finder: FaceFinder, portrait: NDArray[np.uint8], face: FaceBox
    ) -> None:
        (again,) = finder.detect(portrait.copy())
        assert (again.box, again.score) == (face.box, face.score)
        np.testing.assert_array_equal(again.landmarks, face.landmarks)
        chips = [finder.align(portrait, found) for found in (face, again)]
        np.testing.assert_array_equal(*[finder.embed(chip[None]) for chip in chips])

    @pytest.mark.parametrize("by", [0.5, 0.75, 2])
    def test_a_face_has_about_the_same_row_at_another_size(
        self, finder: FaceFinder, portrait: NDArray[np.uint8], face: FaceBox, by: float
    ) -> None:
        other = resized(portrait, by)
        (found,) = finder.detect(other)
        np.testing.assert_allclose(
            found.scaled(1 / by).box, face.box, atol=0.1 * (face.box[3] - face.box[1])
        )
        assert likeness(finder, (portrait, face), (other, found)) >= scale_of(finder).track

    def test_a_face_found_in_a_small_picture_is_cut_from_the_large_one(
        self, finder: FaceFinder, portrait: NDArray[np.uint8], face: FaceBox
    ) -> None:
        (found,) = finder.detect(resized(portrait, 0.5))
        cut = found.scaled(2)
        assert likeness(finder, (portrait, face), (portrait, cut)) >= scale_of(finder).track

    def test_two_faces_are_found_once_each(
        self, finder: FaceFinder, portrait: NDArray[np.uint8], face: FaceBox
    ) -> None:
        pair = np.concatenate([portrait, portrait], axis=1)
        lefts = sorted(found.box[0] for found in finder.detect(pair))
        step = portrait.shape[1]
        slack = 0.1 * (face.box[2] - face.box[0])
        assert lefts == pytest.approx([face.box[0], face.box[0] + step], abs=slack)

    @pytest.mark.parametrize("edge", ["left", "top", "right", "bottom"])
    def test_a_whole_face_at_the_edge_is_found(
        self, finder: FaceFinder, portrait: NDArray[np.uint8], face: FaceBox, edge: str
    ) -> None:
        left, top, right, bottom = (round(value) for value in face.box)
        margin = (bottom - top) // 10
        at_edge = {
            "left": portrait[:, max(0, left - margin) :],
            "top": portrait[max(0, top - margin) :],
            "right": portrait[:, : right + margin],
            "bottom": portrait[: bottom + margin],
        }[edge]
        (found,) = finder.detect(at_edge)
        assert likeness(finder, (portrait, face), (at_edge, found)) >= scale_of(finder).person

    def test_a_face_that_the_edge_cuts_off_can_be_aligned(
        self, finder: FaceFinder, portrait: NDArray[np.uint8], face: FaceBox
    ) -> None:
        chip = finder.align(portrait, face)
        for cut in (portrait[:, : round(face.landmarks[NOSE, 0])], portrait[:1, :1]):
            assert finder.align(cut, face).shape == chip.shape

    @pytest.mark.parametrize("what", ["black", "grey", "white", "noise"])
    @pytest.mark.parametrize(("height", "width"), SIZES)
    def test_a_picture_of_nothing_has_no_faces_whatever_its_shape(
        self, finder: FaceFinder, height: int, width: int, what: str
    ) -> None:
        assert finder.detect(plain(height, width, what)) == []

    def test_pictures_may_be_views_that_cannot_be_written(
        self, finder: FaceFinder, portrait: NDArray[np.uint8], face: FaceBox
    ) -> None:
        frame = np.zeros((portrait.shape[0], portrait.shape[1] + 64, 3), np.uint8)
        frame[:, : portrait.shape[1]] = portrait
        view = frame[:, : portrait.shape[1]]
        view.flags.writeable = False
        (found,) = finder.detect(view)
        assert found.box == face.box
        np.testing.assert_array_equal(finder.align(view, found), finder.align(portrait, face))

    def test_warming_up_twice_changes_nothing(
        self, finder: FaceFinder, chip: NDArray[np.uint8]
    ) -> None:
        before = finder.embed(chip[None])
        finder.warmup()
        finder.warmup()
        np.testing.assert_array_equal(finder.embed(chip[None]), before)


def scale_of(finder: FaceFinder) -> FaceScale:
    assert finder.spec.faces is not None
    return finder.spec.faces


def likeness(finder: FaceFinder, *faces: tuple[NDArray[np.uint8], FaceBox]) -> float:
    """Cosine between the rows of two faces, each with its picture."""
    one, other = (finder.embed(finder.align(rgb, face)[None])[0] for rgb, face in faces)
    return float(one @ other)
