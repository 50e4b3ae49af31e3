"""Real photos of known things, taken out of registry packages once and kept beside the clone."""

from __future__ import annotations

from pathlib import Path

from cli.demo.samples import SCIKIT_IMAGE, SCIKIT_LEARN
from shared.models.registry_packages import fetch, unpack

SAMPLES = Path(__file__).resolve().parents[3] / ".rushes" / "samples"

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
