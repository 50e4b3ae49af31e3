"""Real photos of known things, taken out of registry packages once and kept beside the clone."""

from __future__ import annotations

from pathlib import Path

from shared.registry_packages import Package, fetch, unpack

SAMPLES = Path(__file__).resolve().parent.parent / ".rushes" / "samples"

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
_PHOTOS = {
    "cat": (SCIKIT_IMAGE, "skimage/data/chelsea.png"),
    "coffee": (SCIKIT_IMAGE, "skimage/data/coffee.png"),
    "rocket": (SCIKIT_IMAGE, "skimage/data/rocket.jpg"),
    "astronaut": (SCIKIT_IMAGE, "skimage/data/astronaut.png"),
    "flower": (SCIKIT_LEARN, "sklearn/datasets/images/flower.jpg"),
}


def known_photos() -> dict[str, Path]:
    """Name -> picture file. Raises FetchFailed with a sentence when they cannot be had."""
    photos = {}
    for name, (package, member) in _PHOTOS.items():
        photos[name] = SAMPLES / "photos" / Path(member).name
        if not photos[name].exists():
            unpack(fetch(package, SAMPLES / "packages"), [(member, photos[name])])
    return photos
