"""Which model of each kind answers: what was asked for last, else the setting."""

from __future__ import annotations

from api.services import Services
from shared import heartbeats, model_catalogue
from shared.errors import BadInput, ModelError
from shared.models import ModelKind, ModelSpec


def active_key(services: Services, kind: ModelKind) -> str:
    """Key of the active model. Raises RedisAway."""
    desired = heartbeats.desired(services.redis, services.settings.instance)
    if kind in desired:
        return desired[kind].key
    return {
        ModelKind.VISUAL: services.settings.visual_model,
        ModelKind.SPEECH: services.settings.speech_model,
        ModelKind.FACES: services.settings.face_model,
    }[kind]


def known_model(services: Services, kind: ModelKind, key: str, field: str) -> ModelSpec:
    """The model of a request. Raises BadInput naming the field."""
    try:
        return model_catalogue.resolve(services.settings, kind, key)
    except ModelError as error:
        raise BadInput(f"{field}: {error.message}") from None
