"""The real lite model for tests: its weights as scripts/test left them, or a visible skip."""

from __future__ import annotations

import functools

from shared.model_catalogue import resolve
from shared.models import ModelKind, ModelSpec
from shared.settings import Settings
from tests.fetched import fetched_or_skipped
from workers.models.load import load_visual
from workers.models.protocols import VisualEmbedder
from workers.models.weights import pull


def lite_weights() -> tuple[Settings, ModelSpec]:
    """Settings whose MODELS_DIR holds conse-lite0. Not to be had: a skip, in CI a failure."""
    settings = Settings.from_env()
    spec = resolve(settings, ModelKind.VISUAL, "conse-lite0")
    with fetched_or_skipped():
        pull(settings, spec)
    return settings, spec


@functools.cache
def lite_model() -> VisualEmbedder:
    """One for all tests of a run: it has no state that they could spoil."""
    return load_visual(*lite_weights())
