"""What a server lacks, by the heartbeats of its workers: a sentence for each, with the fix."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence

from api.http.services import CoreServices
from shared.domain import ModelKind
from shared.errors import FolderHangs, ModelError
from shared.models import model_catalogue
from shared.redis.heartbeats import DesiredModel, Heartbeat, ModelState, WorkerKind
from shared.settings import Settings

_RUN_MODELS: tuple[WorkerKind, ...] = ("query", "analysis")
_WATCHER: WorkerKind = "watcher"  # touches media only in watched folders, and says nothing of roots


def missing_workers(kinds: Sequence[str]) -> str:
    """One sentence for all kinds of workers that are required and do not live."""
    names = " and no ".join(kinds)
    commands = " and ".join(
        f"`rushes {kind}`" if kind == _WATCHER else f"`rushes worker {kind}`" for kind in kinds
    )
    which = " worker" if list(kinds) != [_WATCHER] else ""
    return f"No {names}{which} is running. Start {commands}."


def unusable_models(
    services: CoreServices, needed: Mapping[ModelKind, DesiredModel], live: Sequence[Heartbeat]
) -> Iterator[str]:
    """A sentence for each model that no query worker, or no analysis worker, can use."""
    for kind, model in needed.items():
        found = dict.fromkeys(_errors(services, kind, model, live))
        for host, error in found:
            what = "face" if kind is ModelKind.FACES else kind
            yield f"The {what} model {model.key} cannot be used on {host}: {error}"


def _errors(
    services: CoreServices, kind: ModelKind, model: DesiredModel, live: Sequence[Heartbeat]
) -> Iterator[tuple[str, str]]:
    """Hosts, and why the model cannot be used there."""
    for runner in _RUN_MODELS:
        beats = [beat for beat in live if beat.kind == runner and kind in beat.models]
        errors = [_error(beat.models[kind], model) for beat in beats]
        if beats and all(errors):
            yield beats[0].host, str(errors[0])
    here = socket.gethostname()
    is_known = any(kind in beat.models or beat.host != here for beat in live)
    if not is_known and (error := _own_look(services, kind, model.key)):
        yield here, error


def _own_look(services: CoreServices, kind: ModelKind, key: str) -> str | None:
    """Why a model cannot be loaded on this machine, where no worker has said anything of it."""

    def look() -> str | None:
        try:
            spec = model_catalogue.resolve(services.settings, kind, key)
            model_catalogue.require_weights(services.settings, spec)
        except ModelError as error:
            return error.message
        except OSError as error:
            return f"RUSHES_MODELS_DIR cannot be read: {error.strerror or error}."
        return None

    try:
        return services.folders.call(str(services.settings.weights_dir), look)
    except FolderHangs as error:
        return error.message


def unseen_roots(settings: Settings, live: Sequence[Heartbeat]) -> Iterator[str]:
    """A sentence for each configured root that no live worker sees."""
    workers = [beat for beat in live if beat.kind != _WATCHER]
    settings_of: dict[str, list[str]] = {}
    for name, roots in (("MEDIA", settings.media_roots), ("CACHE", settings.cache_roots)):
        for root in map(str, roots or ()):
            settings_of.setdefault(root, []).append(f"RUSHES_{name}_ROOTS")
    for root, names in settings_of.items():
        if not any(beat.roots is None or root in beat.roots for beat in workers):
            yield (
                f"No live worker sees {root} ({' and '.join(names)}). Mount its disk where the "
                "workers run, or correct the setting."
            )


def _error(state: ModelState, model: DesiredModel) -> str | None:
    """Why a worker cannot use a model; None also where it speaks of one that was active before."""
    return None if state.generation < model.generation else state.error
