"""Which model of each kind is active: what was asked for last, else the setting."""

from __future__ import annotations

import redis

from shared.domain import ModelKind
from shared.models import model_catalogue
from shared.models.speech_models import speech_key
from shared.redis import heartbeats
from shared.settings import Settings


def active_keys(client: redis.Redis, settings: Settings) -> dict[ModelKind, str]:
    """Keys of the active models by kind. Raises RedisAway."""
    desired = heartbeats.desired(client, settings.instance)
    keys = {  # in settings people may write a key in any of its forms
        ModelKind.VISUAL: model_catalogue.safe_key(settings.visual_model),
        ModelKind.SPEECH: speech_key(settings.speech_model),
        ModelKind.FACES: settings.face_model,
    }
    return {**keys, **{kind: model.key for kind, model in desired.items()}}
