"""Loads the model of a ModelSpec: picks the adapter, never downloads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from shared.errors import ModelError
from shared.models import libraries, voice_model
from shared.models.model_catalogue import require_weights
from shared.models.specs import ModelSpec
from shared.settings import Settings
from workers.models.protocols import (
    FaceFinder,
    Transcriber,
    VisualEmbedder,
    VoiceDetector,
    VoiceEmbedder,
)


def load_visual(settings: Settings, spec: ModelSpec) -> VisualEmbedder:
    """Load a visual model. Raises ModelError with a sentence that says what to do."""
    _require(settings, spec)
    if spec.family == "conse":
        from workers.models.visual.conse import ConseEmbedder  # onnxruntime: optional

        return ConseEmbedder(spec, settings.weights_dir / spec.key, settings.device)
    from workers.models.visual.open_clip import load_open_clip  # torch: optional

    return load_open_clip(settings, spec)


def load_speech(settings: Settings, spec: ModelSpec) -> Transcriber:
    """Load a speech model. Raises ModelError with a sentence that says what to do."""
    _require(settings, spec)
    from workers.models.speech.whisper_loading import load_whisper  # faster_whisper: optional

    return load_whisper(settings, spec)


def load_faces(settings: Settings, spec: ModelSpec) -> FaceFinder:
    """Load a face model. Raises ModelError with a sentence that says what to do."""
    _require(settings, spec)
    if spec.family == "dlib":
        from workers.models.faces.dlib_faces import DlibFaceFinder  # onnxruntime: optional

        return DlibFaceFinder(spec, settings)
    with insightface_imports():
        from workers.models.faces.insightface_faces import load_insightface  # optional

    return load_insightface(settings, spec)


@contextlib.contextmanager
def insightface_imports() -> Iterator[None]:
    """Raise ModelError where insightface is installed and its import fails in the block."""
    try:
        yield
    except ImportError as error:
        raise ModelError(
            f"insightface cannot be used here: {error}. Its opencv-python needs the system's libGL "
            "and GLib (Debian's libgl1 and libglib2.0-0)."
        ) from error


def load_detector() -> VoiceDetector:
    """Load a voice detector for one stream of sound. Raises ModelError when it is not installed."""
    require_installed("lite", "onnxruntime")
    from workers.models.speech.voices import load_voice_detector  # onnxruntime: optional

    return load_voice_detector()


def load_voices(settings: Settings) -> VoiceEmbedder:
    """Load what tells voices apart; a moment's work. Raises ModelError with what to do."""
    _require(settings, voice_model.SPEC)
    from workers.models.speech.voices import GE2EVoices  # onnxruntime: optional

    return GE2EVoices(settings.weights_dir / voice_model.KEY / "voices.onnx", settings.device)


def require_installed(extra: str, *modules: str) -> None:
    """Raise ModelError when a library of an optional extra is absent."""
    if why := libraries.missing(extra, *modules):
        raise ModelError(why)


def _require(settings: Settings, spec: ModelSpec) -> None:
    """Raise ModelError unless the weights and the libraries of a model are here."""
    require_weights(settings, spec)
    require_libraries(spec)


def require_libraries(spec: ModelSpec) -> None:
    """Raise ModelError when a library that loads a model is absent."""
    if why := libraries.why_not_here(spec):
        raise ModelError(why)
