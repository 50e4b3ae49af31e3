"""Which model a request means: the one it names, else the active one of that kind."""

from __future__ import annotations

import socket

from api.http.services import CoreServices
from shared.domain import ModelKind
from shared.errors import BadInput, ModelError
from shared.models import model_catalogue
from shared.models.model_catalogue import active_keys
from shared.models.specs import ModelSpec
from shared.redis import heartbeats


def active_key(services: CoreServices, kind: ModelKind) -> str:
    """Key of the active model. Raises RedisAway."""
    return active_keys(services.redis, services.settings)[kind]


def known_model(services: CoreServices, kind: ModelKind, key: str, field: str) -> ModelSpec:
    """The model of a request. Raises BadInput naming the field."""
    try:
        return model_catalogue.resolve(services.settings, kind, key)
    except ModelError as error:
        hint = _kind_hint(services, kind, key, field)
        raise BadInput(f"{field}: {error.message}{hint}") from None


def _kind_hint(services: CoreServices, asked: ModelKind, key: str, field: str) -> str:
    """What is said of a key that belongs to a model of another kind."""
    spec = model_catalogue.catalogue(services.settings).get(key)
    if spec is None or spec.kind is asked:
        return ""
    cure = f': send model_type: "{spec.kind.value}"' if field == "model_key" else ""
    return f" {key} is a model of the kind {spec.kind.value!r}, not {asked.value!r}{cure}."


def wanted_key(services: CoreServices, kind: ModelKind, key: str | None, field: str) -> str:
    """The key that a request names, else the active one. Raises BadInput naming the field."""
    return known_model(services, kind, key, field).key if key else active_key(services, kind)


def check_allowed(services: CoreServices, kind: ModelKind, key: str, field: str) -> None:
    """Raise BadInput, naming the field, for a model whose licence the operator has not accepted."""
    spec = known_model(services, kind, key, field)
    try:
        model_catalogue.require_allowed(services.settings, spec)
    except ModelError as error:
        raise BadInput(f"{field}: {error.message}") from None


def check_loadable(services: CoreServices, spec: ModelSpec, field: str) -> None:
    """Raise BadInput for weights that nobody has; workers elsewhere may have their own."""
    if why := why_not_loadable(services, spec):
        raise BadInput(f"{field}: {why}")


def why_not_loadable(services: CoreServices, spec: ModelSpec) -> str:
    """That nobody has its weights, and the cure; "" where somebody has them or may have them."""
    live = heartbeats.live(services.redis, services.settings.instance)
    if any(beat.host != socket.gethostname() for beat in live):
        return ""
    is_loaded = any(s.model_key == spec.key for beat in live for s in beat.models.values())
    if is_loaded or _is_downloaded(services, spec):
        return ""
    return (
        f"the weights of {spec.key} are not on this machine. Fetch them with "
        f"`rushes models pull {spec.key}`."
    )


def _is_downloaded(services: CoreServices, spec: ModelSpec) -> bool:
    folder = str(services.settings.weights_dir)  # may lie on a share
    return services.folders.call(
        folder, lambda: model_catalogue.is_downloaded(services.settings, spec)
    )
