"""From a ModelSpec to a loaded model: picks the adapter, never downloads."""

from __future__ import annotations

from shared.errors import ModelError
from shared.model_catalogue import is_downloaded
from shared.models import ModelSpec
from shared.settings import Settings
from workers.models.protocols import VisualEmbedder


def load_visual(settings: Settings, spec: ModelSpec) -> VisualEmbedder:
    """Load a visual model. Raises ModelError with a sentence that says what to do."""
    if spec.commercial_use is False and not settings.allow_noncommercial:
        raise ModelError(
            f"{spec.key} may not be used commercially ({spec.licence}). If that is fine for you, "
            "set RUSHES_ALLOW_NONCOMMERCIAL=on."
        )
    if spec.family == "conse":
        if not is_downloaded(settings, spec):
            raise ModelError(
                f"The weights of {spec.key} are not in {settings.weights_dir}. Fetch them with "
                f"`rushes models pull {spec.key}`."
            )
        from workers.models.conse import ConseEmbedder  # onnxruntime: optional

        return ConseEmbedder(spec, settings.weights_dir / spec.key, settings.device)
    if spec.family == "open_clip":
        from workers.models.open_clip import load_open_clip  # torch: optional

        return load_open_clip(settings, spec)
    raise ModelError(f"{spec.key} belongs to the unknown family {spec.family!r}.")
