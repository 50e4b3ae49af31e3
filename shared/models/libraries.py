"""The libraries that load a model, and the optional extra that brings them."""

from __future__ import annotations

import importlib.util

from shared.models.specs import ModelSpec

# By family: the extra, and the modules that must be there. Nothing here imports them.
NEEDED = {
    "conse": ("lite", ("onnxruntime", "tokenizers")),
    "whisper": ("lite", ("faster_whisper", "ctranslate2")),
    "dlib": ("lite", ("onnxruntime",)),
    "ge2e": ("lite", ("onnxruntime",)),
    "open_clip": ("studio", ("torch", "open_clip")),
    "insightface": ("insightface", ("onnxruntime", "insightface")),
}


def why_not_here(spec: ModelSpec) -> str | None:
    """Why this machine cannot run a model, as a sentence; None where its libraries are there."""
    extra, modules = NEEDED[spec.family]
    return missing(extra, *modules)


def missing(extra: str, *modules: str) -> str | None:
    """A sentence about the first of the modules that is absent."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            return (
                f"This model needs {module}, which is not installed here. Install Rushes with "
                f"its `{extra}` extra."
            )
    return None
