"""The fake and the default face model keep the contract of a FaceFinder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.contract.models.face_finder import FaceFinderContract, likeness, scale_of
from tests.support.fake_models import FakeFaceFinder, fake_face_row, paint_face
from tests.support.lite_models import face_model
from tests.support.media.photos import known_photos
from tests.support.skip_or_fail import fetched_or_skipped
from workers.models.faces.dlib_faces import CENTRE
from workers.models.protocols import FaceBox, FaceFinder

GOLDEN = Path(__file__).with_name("dlib_golden.npz")


class TestFakeFaceFinder(FaceFinderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def finder(cls) -> FaceFinder:
        return FakeFaceFinder()

    @pytest.fixture(scope="class")
    @classmethod
    def portrait(cls) -> NDArray[np.uint8]:
        return paint_face(np.full((360, 640, 3), 90, np.uint8), 7, (250, 100, 120))

    def test_people_and_their_looks_are_told_apart(self, finder: FaceFinder) -> None:
        wanted = [(0, 0), (7, 0), (7, 5), (255, 15)]
        rgb = np.full((200, 640, 3), 90, np.uint8)
        for at, (person, look) in enumerate(wanted):
            paint_face(rgb, person, (20 + 150 * at, 40, 96), look=look)
        faces = sorted(finder.detect(rgb), key=lambda face: face.box)
        rows = finder.embed(np.stack([finder.align(rgb, face) for face in faces]))
        np.testing.assert_array_equal(rows, [fake_face_row(*one) for one in wanted])
        assert scale_of(finder).person < rows[1] @ rows[2] < scale_of(finder).track

    def test_a_turned_face_has_its_nose_at_one_eye(self, finder: FaceFinder) -> None:
        rgb = paint_face(np.zeros((120, 120, 3), np.uint8), 3, (10, 10, 96), turned=True)
        (face,) = finder.detect(rgb)
        assert face.landmarks[2, 0] == pytest.approx(face.landmarks[0, 0])


class TestDefaultModel(FaceFinderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def finder(cls) -> FaceFinder:
        return face_model()

    @pytest.fixture(scope="class")
    @classmethod
    def portrait(cls) -> NDArray[np.uint8]:
        with fetched_or_skipped():
            path = known_photos()["astronaut"]
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))

    def test_it_computes_what_dlib_computes_from_the_same_weights(self, finder: FaceFinder) -> None:
        """dlib_golden.npz was made by dlib 20.0.1: means of made-up faces and mirror images."""
        with np.load(GOLDEN) as golden:
            faces = golden["small"].repeat(15, axis=1).repeat(15, axis=2)
            from_the_middle = finder.embed(faces)[:, :-1]
            np.testing.assert_allclose(from_the_middle + CENTRE, golden["rows"], atol=1e-5)

    @pytest.mark.parametrize("degrees", [-25, -15, 15, 25])
    def test_a_tilted_head_is_found_and_set_upright(
        self, finder: FaceFinder, portrait: NDArray[np.uint8], face: FaceBox, degrees: int
    ) -> None:
        turned = np.asarray(Image.fromarray(portrait).rotate(degrees, Image.Resampling.BICUBIC))
        (found,) = finder.detect(turned)
        assert likeness(finder, (portrait, face), (turned, found)) >= scale_of(finder).track

    def test_a_face_in_grey_is_the_same_person(
        self, finder: FaceFinder, portrait: NDArray[np.uint8], face: FaceBox
    ) -> None:
        grey = np.asarray(Image.fromarray(portrait).convert("L").convert("RGB"))
        (found,) = finder.detect(grey)
        assert likeness(finder, (portrait, face), (grey, found)) >= scale_of(finder).person

    def test_a_cat_is_nobody(self, finder: FaceFinder) -> None:
        with fetched_or_skipped():
            path = known_photos()["cat"]
        with Image.open(path) as picture:
            assert finder.detect(np.asarray(picture.convert("RGB"))) == []

    def test_a_large_face_in_a_very_large_picture_is_found(
        self, finder: FaceFinder, portrait: NDArray[np.uint8]
    ) -> None:
        """The smallest face that is looked for grows with the picture, and so the cost does not."""
        large = np.asarray(Image.fromarray(portrait).resize((4096, 4096)))
        (found,) = finder.detect(large)
        assert 800 < found.box[3] - found.box[1] < 2000
