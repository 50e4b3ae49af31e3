"""The default face model: MTCNN finds faces, dlib's ResNet tells people apart."""

from __future__ import annotations

from shared.errors import ModelError
from shared.models import ModelSpec
from shared.settings import Settings
from workers.models.protocols import FaceFinder


def load_dlib(settings: Settings, spec: ModelSpec) -> FaceFinder:
    """Raises ModelError with a sentence for weights that are damaged."""
    raise ModelError(f"{spec.key} cannot be loaded yet.")
