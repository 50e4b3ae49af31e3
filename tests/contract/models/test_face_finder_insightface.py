"""insightface's own code around tiny networks that the test makes: alignment, SCRFD, ArcFace."""

from __future__ import annotations

import dataclasses
import functools
import gc
import http.server
import io
import json
import socket
import sys
import threading
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import onnx
import onnx.reference
import pytest
from numpy.typing import NDArray

from shared.domain import ModelKind
from shared.errors import ModelError
from shared.models.model_catalogue import catalogue, find, is_downloaded, resolve
from shared.models.specs import FaceScale, ModelSpec
from shared.settings import Settings
from tests.contract.models.face_finder import FaceFinderContract
from tests.contract.models.insightface_pack import LANDMARKS, detector, make_pack, recognition
from workers.models.load import load_faces
from workers.models.protocols import FaceFinder
from workers.models.weights.pull import pull

RED, GREEN, BLUE = (220, 20, 20), (20, 200, 40), (30, 40, 220)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    root = tmp_path_factory.mktemp("models")
    make_pack(root / "insightface" / "tiny")
    return dataclasses.replace(Settings(), models_dir=root, device="cpu")


@pytest.fixture
def empty(tmp_path: Path) -> Settings:
    return dataclasses.replace(Settings(), models_dir=tmp_path, device="cpu")


@pytest.fixture(scope="module")
def finder(settings: Settings) -> FaceFinder:
    return load_faces(settings, spec_of(settings, "tiny"))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks up a name or connects gets an error."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise OSError("the test has no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def spec_of(settings: Settings, pack: str) -> ModelSpec:
    return resolve(settings, ModelKind.FACES, f"insightface-{pack}")


def put_faces(*faces: tuple[tuple[int, int, int, int], tuple[int, int, int]]) -> Any:
    """A grey picture of 1280x720 with painted faces at (left, top, width, height)."""
    picture = np.full((720, 1280, 3), 128, np.uint8)
    for (left, top, width, height), colour in faces:
        picture[top : top + height, left : left + width] = colour
    return picture


class TestInsightFace(FaceFinderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def portrait(cls) -> NDArray[np.uint8]:
        return put_faces(((250, 100, 120, 150), RED))[:360, :640]


def test_boxes_and_landmarks_are_in_pixels_of_the_picture(finder: FaceFinder) -> None:
    places = [(100, 100, 60, 80), (600, 200, 300, 400), (1000, 48, 40, 52)]
    found = finder.detect(put_faces(*zip(places, (RED, GREEN, BLUE), strict=True)))
    found.sort(key=lambda face: face.box[0])
    assert len(found) == 3
    for face, (left, top, width, height) in zip(found, places, strict=True):
        box = (left, top, left + width, top + height)
        np.testing.assert_allclose(face.box, box, atol=4)  # two pixels of what SCRFD sees
        points = [(left + x * width, top + y * height) for x, y in LANDMARKS]
        np.testing.assert_allclose(face.landmarks, points, atol=5)
        assert 0.5 <= face.score <= 1


def test_a_face_that_fills_the_picture_is_found(finder: FaceFinder) -> None:
    [face] = finder.detect(put_faces(((8, 8, 1264, 704), RED)))
    np.testing.assert_allclose(face.box, (8, 8, 1272, 712), atol=20)


def test_a_face_of_40_pixels_is_found_anywhere_in_a_frame_of_1280(finder: FaceFinder) -> None:
    for left, top in ((0, 0), (333, 101), (1240, 680), (701, 502)):
        [face] = finder.detect(put_faces(((left, top, 40, 40), GREEN)))
        np.testing.assert_allclose(face.box, (left, top, left + 40, top + 40), atol=4)


@pytest.mark.parametrize("shape", [(1, 1), (3, 2000), (2000, 3), (1, 5000), (720, 405)])
def test_a_picture_of_any_shape_is_looked_at(finder: FaceFinder, shape: tuple[int, int]) -> None:
    assert finder.detect(np.full((*shape, 3), 90, np.uint8)) == []


def test_the_colours_reach_the_network_in_the_order_it_was_trained_on(finder: FaceFinder) -> None:
    """insightface takes BGR and gives its networks RGB: two turns, which must not be one."""
    side = np.zeros((3, 112, 112, 3), np.uint8)
    for picture, colour in zip(side, (RED, GREEN, BLUE), strict=True):
        picture[:] = colour
    blob = (side.astype(np.float32).transpose(0, 3, 1, 2) - 127.5) / 127.5
    right = onnx_rows(blob)
    np.testing.assert_allclose(finder.embed(side), right, atol=1e-4)


def onnx_rows(blob: Any) -> Any:
    rows = onnx.reference.ReferenceEvaluator(recognition()).run(None, {"input": blob})[0]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_a_pack_exported_for_one_face_at_a_time_gives_the_same_rows(
    empty: Settings, finder: FaceFinder
) -> None:
    folder = make_pack(empty.weights_dir / "insightface" / "single")
    onnx.save(recognition(batch=1), folder / "w600k_tiny.onnx")
    faces = np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3), np.uint8)
    rows = load_faces(empty, spec_of(empty, "single")).embed(faces)
    np.testing.assert_allclose(rows, finder.embed(faces), atol=1e-6)


def test_a_folder_is_found_and_described(settings: Settings) -> None:
    spec = spec_of(settings, "tiny")
    assert (spec.commercial_use, spec.licence) == (None, "unknown: supplied by you")
    assert is_downloaded(settings, spec)
    assert load_faces(settings, spec).spec.dim == 512


def test_known_packs_say_that_they_are_for_research_only(settings: Settings) -> None:
    known = catalogue(settings)
    for name in ("buffalo_l", "buffalo_s", "buffalo_sc", "antelopev2"):
        spec = known[f"insightface-{name}"]
        assert spec.commercial_use is False
        assert "non-commercial research only" in spec.licence
        assert not is_downloaded(settings, spec)


@pytest.mark.parametrize("name", ["buffalo_sc", "buffalo_l-mine", "Raccoon_s"])
def test_a_research_pack_loads_only_after_the_operator_said_so(empty: Settings, name: str) -> None:
    make_pack(empty.weights_dir / "insightface" / name)
    with pytest.raises(ModelError, match=r"may not be used.*RUSHES_ALLOW_NONCOMMERCIAL=on"):
        load_faces(empty, spec_of(empty, name))
    allowed = dataclasses.replace(empty, allow_noncommercial=True)
    load_faces(allowed, spec_of(allowed, name)).warmup()


@pytest.mark.usefixtures("no_network")
def test_a_pack_that_is_not_there_is_never_downloaded_by_loading_it(empty: Settings) -> None:
    allowed = dataclasses.replace(empty, allow_noncommercial=True)
    spec = spec_of(allowed, "buffalo_l")
    with pytest.raises(ModelError, match="`rushes models pull insightface-buffalo_l`"):
        load_faces(allowed, spec)
    from workers.models.faces.insightface_faces import load_insightface

    with pytest.raises(ModelError, match=r"is not there: .*buffalo_l is no folder"):
        load_insightface(allowed, spec)
    assert list(empty.weights_dir.iterdir()) == []


@pytest.mark.usefixtures("no_network")
def test_a_pack_loads_and_finds_without_any_network(settings: Settings) -> None:
    loaded = load_faces(settings, spec_of(settings, "tiny"))
    assert len(loaded.detect(put_faces(((100, 100, 80, 80), RED)))) == 1


def test_an_insightface_that_cannot_be_imported_is_a_model_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the system lacks libGL, which opencv-python needs."""
    monkeypatch.delitem(sys.modules, "workers.models.faces.insightface_faces", raising=False)
    monkeypatch.setitem(sys.modules, "insightface.utils", None)
    with pytest.raises(ModelError, match=r"cannot be used here: .*libgl1"):
        load_faces(settings, spec_of(settings, "tiny"))


def break_detector(folder: Path) -> None:
    (folder / "det_tiny.onnx").write_bytes(b"no network")


def remove_detector(folder: Path) -> None:
    (folder / "det_tiny.onnx").unlink()


def remove_recognition(folder: Path) -> None:
    (folder / "w600k_tiny.onnx").unlink()


def forget_landmarks(folder: Path) -> None:
    onnx.save(detector(landmarks=False), folder / "det_tiny.onnx")


def break_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"manifest_version": 2}')


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (break_detector, "cannot be loaded: .*INVALID_PROTOBUF"),
        (remove_detector, "no network for detection"),
        (remove_recognition, "no network for recognition"),
        (forget_landmarks, "gives no landmarks"),
        (break_manifest, "missing required fields"),
    ],
)
def test_a_pack_that_is_not_whole_is_a_model_error(
    empty: Settings, spoil: Callable[[Path], None], says: str
) -> None:
    spoil(make_pack(empty.weights_dir / "insightface" / "spoilt"))
    with pytest.raises(ModelError, match=says):
        load_faces(empty, spec_of(empty, "spoilt"))


def test_a_pack_with_a_manifest_names_its_networks_itself(empty: Settings) -> None:
    folder = make_pack(empty.weights_dir / "insightface" / "told")
    (folder / "det_tiny.onnx").rename(folder / "one.onnx")
    (folder / "w600k_tiny.onnx").rename(folder / "two.onnx")
    tasks = {"detection": {"file": "one.onnx"}, "recognition": {"file": "two.onnx"}}
    manifest = {
        "manifest_version": 2, "model_id": "told", "tasks": tasks, "license": "MODEL.LICENSE",
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))
    loaded = load_faces(empty, spec_of(empty, "told"))
    [face] = loaded.detect(put_faces(((200, 200, 80, 80), BLUE)))
    assert face.box[0] == pytest.approx(200, abs=4)


def test_an_operator_says_what_the_distances_of_a_pack_mean(empty: Settings) -> None:
    folder = make_pack(empty.weights_dir / "insightface" / "mine")
    published = spec_of(empty, "mine").faces
    assert published == find(empty, "insightface-buffalo_l").faces
    told = folder / "rushes-faces.json"
    told.write_text('{"person": 0.31, "track": 0.7}')
    assert spec_of(empty, "mine").faces == FaceScale(person=0.31, track=0.7)
    for wrong in ('{"person": 0.8, "track": 0.7}', '{"person": true, "track": 2}', "[]", "{"):
        told.write_text(wrong)
        assert spec_of(empty, "mine").faces == published
        with pytest.raises(ModelError, match=r"rushes-faces\.json must be"):
            load_faces(empty, spec_of(empty, "mine"))


class TestPull:
    """Through insightface's own storage, from a server of the test."""

    @pytest.fixture
    def allowed(self, empty: Settings) -> Settings:
        return dataclasses.replace(empty, allow_noncommercial=True)

    @pytest.fixture
    def published(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return tmp_path_factory.mktemp("releases")

    @pytest.fixture
    def releases(self, published: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        handler = functools.partial(_Quiet, directory=str(published))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr("insightface.utils.storage.MODEL_ZOO_RELEASE_DOWNLOAD_URL", url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield
        server.shutdown()
        server.server_close()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # insightface leaves them open
            gc.collect()

    def test_a_research_pack_is_not_fetched_without_the_operators_word(
        self, empty: Settings
    ) -> None:
        with pytest.raises(ModelError, match="RUSHES_ALLOW_NONCOMMERCIAL=on"):
            pull(empty, spec_of(empty, "buffalo_sc"))
        assert list(empty.weights_dir.iterdir()) == []

    @pytest.mark.usefixtures("releases")
    @pytest.mark.parametrize("inside", ["", "buffalo_sc/"])
    def test_a_pack_is_fetched_and_loads(
        self, allowed: Settings, published: Path, tmp_path_factory: pytest.TempPathFactory,
        inside: str,
    ) -> None:  # fmt: skip
        pack = make_pack(tmp_path_factory.mktemp("made") / "pack")
        with zipfile.ZipFile(published / "buffalo_sc.zip", "w") as archive:
            for path in pack.iterdir():
                archive.write(path, inside + path.name)
        said: list[str] = []
        pull(allowed, spec_of(allowed, "buffalo_sc"), said.append)
        assert said[-1] == "insightface-buffalo_sc is ready"
        load_faces(allowed, spec_of(allowed, "buffalo_sc")).warmup()
        left = {path.name for path in allowed.weights_dir.iterdir()}
        assert left == {"insightface", ".insightface-buffalo_sc.lock"}
        pull(allowed, spec_of(allowed, "buffalo_sc"), said.append)
        assert "is ready in" in said[-1]

    @pytest.mark.usefixtures("releases")
    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (None, "could not fetch buffalo_sc: Failed downloading"),
            (b"no zip", "could not fetch buffalo_sc: File is not a zip file"),
            ({"readme.txt": b"hello"}, "holds no networks"),
            ({"det_x.onnx": b"hello"}, "cannot be loaded"),
        ],
    )
    def test_what_is_no_pack_leaves_nothing_behind(
        self, allowed: Settings, published: Path, content: Any, says: str
    ) -> None:
        if isinstance(content, dict):
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as archive:
                for name, data in content.items():
                    archive.writestr(name, data)
            content = packed.getvalue()
        if content is not None:
            (published / "buffalo_sc.zip").write_bytes(content)
        with pytest.raises(ModelError, match=says):
            pull(allowed, spec_of(allowed, "buffalo_sc"))
        assert [path.name for path in allowed.weights_dir.iterdir()] == [
            ".insightface-buffalo_sc.lock"
        ]

    @pytest.mark.usefixtures("no_network")
    def test_without_a_network_it_says_where_the_files_go(self, allowed: Settings) -> None:
        with pytest.raises(
            ModelError, match=r"put the pack's .onnx files into .*buffalo_sc by hand"
        ):
            pull(allowed, spec_of(allowed, "buffalo_sc"))


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass
