"""Which model of each kind answers: what was asked for last, else the setting."""

from __future__ import annotations

from api.services import Services
from shared import heartbeats, model_catalogue
from shared.errors import BadInput, ModelError
from shared.models import ModelKind, ModelSpec
from shared.speech_models import speech_key


def active_key(services: Services, kind: ModelKind) -> str:
    """Key of the active model. Raises RedisAway."""
    desired = heartbeats.desired(services.redis, services.settings.instance)
    if kind in desired:
        return desired[kind].key
    settings = services.settings  # in which people may write a key in any of its forms
    return {
        ModelKind.VISUAL: model_catalogue.safe_key(settings.visual_model),
        ModelKind.SPEECH: speech_key(settings.speech_model),
        ModelKind.FACES: settings.face_model,
    }[kind]


def known_model(services: Services, kind: ModelKind, key: str, field: str) -> ModelSpec:
    """The model of a request. Raises BadInput naming the field."""
    try:
        return model_catalogue.resolve(services.settings, kind, key)
    except ModelError as error:
        raise BadInput(f"{field}: {error.message}") from None


def wanted_key(services: Services, kind: ModelKind, key: str | None, field: str) -> str:
    """The key that a request names, else the active one. Raises BadInput naming the field."""
    return known_model(services, kind, key, field).key if key else active_key(services, kind)


def check_allowed(services: Services, kind: ModelKind, key: str, field: str) -> None:
    """Raise BadInput, naming the field, for a model whose licence the operator has not accepted."""
    spec = known_model(services, kind, key, field)
    try:
        model_catalogue.require_allowed(services.settings, spec)
    except ModelError as error:
        raise BadInput(f"{field}: {error.message}") from None
