"""Which model of each kind is active: what was asked for last, else the setting."""

from __future__ import annotations

from collections.abc import Mapping

import redis

from shared.domain import ModelKind
from shared.models import model_catalogue
from shared.models.speech_models import speech_key
from shared.redis import heartbeats
from shared.redis.heartbeats import DesiredModel
from shared.settings import Settings


def active_models(client: redis.Redis, settings: Settings) -> dict[ModelKind, DesiredModel]:
    """The active models by kind. Raises RedisAway."""
    return {**models_of(settings), **heartbeats.desired(client, settings.instance)}


def active_keys(client: redis.Redis, settings: Settings) -> dict[ModelKind, str]:
    """Keys of the active models by kind. Raises RedisAway."""
    return {kind: model.key for kind, model in active_models(client, settings).items()}


def models_of(settings: Settings) -> dict[ModelKind, DesiredModel]:
    """The models that the settings name, where people may write a key in any of its forms."""
    return {
        ModelKind.VISUAL: DesiredModel(model_catalogue.safe_key(settings.visual_model), 0),
        ModelKind.SPEECH: DesiredModel(speech_key(settings.speech_model), 0),
        ModelKind.FACES: DesiredModel(settings.face_model, 0),
    }


def needed_models(
    active: Mapping[ModelKind, DesiredModel],
) -> dict[ModelKind, DesiredModel]:
    """The active models that somebody counts on: the visual one, others once they were asked for.

    By a client, or by a setting that does not name the default.
    """
    defaults = models_of(Settings())
    return {
        kind: model
        for kind, model in active.items()
        if kind is ModelKind.VISUAL or model.generation > 0 or model.key != defaults[kind].key
    }
