"""The real lite models for tests: their weights as scripts/test left them, or a visible skip."""

from __future__ import annotations

import functools

from shared.models.model_catalogue import find
from shared.models.specs import ModelSpec
from shared.models.voice_model import KEY
from shared.settings import Settings
from tests.support.skip_or_fail import fetched_or_skipped
from workers.models.load import load_faces, load_speech, load_visual, load_voices
from workers.models.protocols import FaceFinder, Transcriber, VisualEmbedder, VoiceEmbedder
from workers.models.weights.pull import pull


def lite_weights(key: str = "conse-lite0") -> tuple[Settings, ModelSpec]:
    """Settings whose MODELS_DIR holds that model. Not to be had: a skip, in CI a failure."""
    settings = Settings.from_env()
    spec = find(settings, key)
    with fetched_or_skipped():
        pull(settings, spec)
    return settings, spec


@functools.cache
def lite_model() -> VisualEmbedder:
    """One for all tests of a run: it has no state that they could spoil."""
    return load_visual(*lite_weights())


@functools.cache
def speech_model(key: str = "whisper-base") -> Transcriber:
    """One for all tests of a run, as `lite_model`."""
    return load_speech(*lite_weights(key))


@functools.cache
def face_model(key: str = "dlib-resnet") -> FaceFinder:
    """One for all tests of a run, as `lite_model`."""
    return load_faces(*lite_weights(key))


@functools.cache
def voice_model() -> VoiceEmbedder:
    """One for all tests of a run, as `lite_model`."""
    return load_voices(lite_weights(KEY)[0])
