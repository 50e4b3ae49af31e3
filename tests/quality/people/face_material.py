"""Photos of people with labels, out of pinned packages, and the same faces as a camera varies them.

The photos show real people: they are fetched for tests alone and lie beside the clone.
"""

from __future__ import annotations

import functools
import io
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from shared.models.registry_packages import FetchFailed, Package, fetch, unpack
from tests.support.media.photos import SAMPLES, known_photos
from workers.models.protocols import FaceBox

_FACE_RECOGNITION = Package(
    "face_recognition", "1.3.0",
    "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec", 3.2, "sdist",
)  # fmt: skip
_FACE_API = Package(
    "@vladmandic/face-api", "1.7.15",
    "0d77fffeef362ef9c0939cf6c567f3a2e8e177f114fa257a3270cbd2e509b031", 12.7,
)  # fmt: skip
_SDIST_PHOTOS = ("obama", "obama2", "obama3", "obama_partial_face", "obama_partial_face2", "biden")
_MEMBERS = {
    **{f"{name}.jpg": (_FACE_RECOGNITION, f"test_images/{name}.jpg") for name in _SDIST_PHOTOS},
    **{f"sample{n}.jpg": (_FACE_API, f"package/demo/sample{n}.jpg") for n in range(1, 7)},
}
_LABELS = Path(__file__).with_name("face_labels.json")

FRAME = 1280  # pixels of a frame's longer side, as faces are looked for


@dataclass(frozen=True, slots=True)
class Label:
    """A face: whose, and where its middle is in parts of the picture."""

    who: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Photo:
    """`faces` must be found; `hard` ones (bent down, seen from the side) may be."""

    name: str
    picture: Image.Image
    faces: tuple[Label, ...]
    hard: tuple[Label, ...]

    def label_of(self, face: FaceBox, size: tuple[int, int]) -> Label | None:
        """Which labelled face was found in the photo at a size."""
        (left, top, right, bottom), (width, height) = face.box, size
        for label in (*self.faces, *self.hard):
            if left < label.x * width < right and top < label.y * height < bottom:
                return label
        return None


def fetch_people() -> dict[str, Path]:
    """File name -> photo. Raises FetchFailed with a sentence when they cannot be had."""
    paths = {"astronaut.png": known_photos()["astronaut"]}
    for name, (package, member) in _MEMBERS.items():
        paths[name] = SAMPLES / "people" / name
        if not paths[name].exists():
            if package is _FACE_API:
                _pack_with_npm(package, SAMPLES / "packages")
            unpack(fetch(package, SAMPLES / "packages"), [(member, paths[name])])
    return paths


def _pack_with_npm(package: Package, folder: Path) -> None:
    """Put a package of the JavaScript registry where `fetch` looks for it. Raises FetchFailed."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as cache:
        command = ["npm", "pack", "--ignore-scripts", "--no-update-notifier", "--loglevel=error"]
        command += [f"--cache={cache}", f"--pack-destination={folder}"]
        try:
            subprocess.run(
                [*command, f"{package.name}@{package.version}"], check=True, capture_output=True
            )
        except (OSError, subprocess.CalledProcessError) as error:
            raise FetchFailed(f"npm could not download {package.name}: {error}") from error


def labelled_photos() -> list[Photo]:
    """All of them. Raises FetchFailed."""
    paths = fetch_people()
    found = json.loads(_LABELS.read_text(encoding="utf-8"))["pictures"]
    photos = []
    for name, faces in found.items():
        content = paths[name].read_bytes() if name in paths else _of_insightface(name)
        with Image.open(io.BytesIO(content)) as opened:
            picture = opened.convert("RGB")
        of_kind = [
            tuple(Label(*face[:3]) for face in faces if face[3:] == end) for end in ([], ["hard"])
        ]
        photos.append(Photo(name, picture, *of_kind))
    return photos


def perhaps_one() -> set[frozenset[str]]:
    """Pairs of labels of different photos of whom we cannot tell whether they are one person."""
    pairs = json.loads(_LABELS.read_text(encoding="utf-8"))["perhaps_one"]
    return {frozenset(pair) for pair in pairs}


def _of_insightface(name: str) -> bytes:
    try:
        return (resources.files("insightface") / "data" / "images" / name).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise FetchFailed(f"{name} of insightface is not here: install the test extra.") from error


def shrunk(picture: Image.Image, longest: int = FRAME) -> Image.Image:
    small = picture.copy()
    small.thumbnail((longest, longest))
    return small


def around(picture: Image.Image, face: FaceBox, height: int, degrees: float) -> Image.Image:
    """A face in the middle of its surroundings, so high, its head tilted by so much."""
    left, top, right, bottom = face.box
    side = int(3.2 * height)
    scale = (bottom - top) / height
    factor = max(1, int(scale))
    turn = np.exp(1j * np.deg2rad(degrees)) * scale
    middle = complex(left + right, top + bottom) / 2 - turn * complex(side, side) / 2
    matrix = (turn.real, -turn.imag, middle.real, turn.imag, turn.real, middle.imag)
    return picture.reduce(factor).transform(
        (side, side),
        Image.Transform.AFFINE,
        tuple(value / factor for value in matrix),
        Image.Resampling.BICUBIC,
    )


def _lit(picture: Image.Image, brightness: float, contrast: float = 1.0) -> Image.Image:
    return ImageEnhance.Contrast(ImageEnhance.Brightness(picture).enhance(brightness)).enhance(
        contrast
    )


def _compressed(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    with Image.open(file) as opened:
        return opened.convert("RGB")


Change = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True, slots=True)
class View:
    """A face so high, its head tilted by so many degrees, and what happens to the picture."""

    height: int
    degrees: float = 0
    change: Change = Image.Image.copy


# What a camera makes of one face, from frame to frame of a video.
VIEWS: dict[str, View] = {
    "200 px": View(200),
    "112 px": View(112),
    "80 px": View(80),
    "60 px": View(60),
    "50 px": View(50),
    "tilted 15": View(112, 15),
    "tilted -25": View(112, -25),
    "dark": View(112, change=lambda cut: _lit(cut, 0.45)),
    "bright": View(112, change=lambda cut: _lit(cut, 1.5)),
    "flat": View(112, change=lambda cut: _lit(cut, 1, 0.5)),
    "blurred": View(112, change=lambda cut: cut.filter(ImageFilter.GaussianBlur(2))),
    "compressed": View(112, change=lambda cut: _compressed(cut, 30)),
    "all at once": View(80, 8, lambda cut: _compressed(_lit(cut, 0.7), 50)),
    "grey": View(112, change=lambda cut: cut.convert("L").convert("RGB")),
}


def views(
    picture: Image.Image, face: FaceBox, names: Iterable[str] = tuple(VIEWS)
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Each view of a face by its name. Those of one height and tilt begin as one cut."""
    cut = functools.cache(functools.partial(around, picture, face))
    for name in names:
        view = VIEWS[name]
        yield name, np.asarray(view.change(cut(view.height, view.degrees)))


def in_the_middle(faces: list[FaceBox], rgb: NDArray[np.uint8]) -> FaceBox | None:
    """The face that a view is about."""
    middle = rgb.shape[0] / 2
    for face in faces:
        left, top, right, bottom = face.box
        if max(abs(left + right), abs(top + bottom)) / 2 < middle * 1.2 and (
            left < middle < right and top < middle < bottom
        ):
            return face
    return None
