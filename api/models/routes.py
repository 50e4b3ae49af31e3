"""Which models there are, which is loaded, which answers."""

from __future__ import annotations

import socket
from typing import Any

from api.http.endpoint import Call, Endpoint, Reply
from api.http.services import CoreServices
from api.models.answers import (
    AvailableModel,
    AvailableModels,
    AvailableSpeech,
    AvailableVisual,
    LoadedModel,
    LoadedModels,
    ModelLoadAnswer,
)
from api.models.bodies import ModelLoadBody
from api.models.model_keys import active_key, check_loadable, known_model
from shared.domain import ModelKind
from shared.errors import BadInput, Busy
from shared.models import libraries, model_catalogue
from shared.models.fetches import Fetches
from shared.models.model_catalogue import active_models
from shared.redis import heartbeats
from shared.redis.heartbeats import DesiredModel, ModelState
from shared.rights import KeyScope


def get_loaded_models(call: Call[None], services: CoreServices) -> LoadedModels:
    """What is loaded.

    A model that `/models/load` has accepted is named here at once, and is loading until every
    worker that is to have it has loaded it or failed; `/ready?require=models` says why.
    """
    states = {kind: _loaded(services, kind) for kind in ModelKind}
    return LoadedModels(
        visual=states[ModelKind.VISUAL],
        speech=states[ModelKind.SPEECH],
        faces=states[ModelKind.FACES],
    )


def _loaded(services: CoreServices, kind: ModelKind) -> LoadedModel:
    """The active model where a live worker has it; what is loading counts before what was.

    One that was asked for is loading until every worker has loaded it, or failed; those that are
    in the middle of an Item hear of it later.
    """
    active = active_models(services.redis, services.settings)[kind]
    live = heartbeats.live(services.redis, services.settings.instance)
    states = [beat.models[kind] for beat in live if kind in beat.models]
    able = [beat for beat in live if kind in beat.models or beat.kind == "analysis"]
    told = [beat for beat in able if beat.state != "working"]
    is_awaited = active.generation > 0 and not (
        told and all(_has_heard(beat.models.get(kind), active) for beat in told)
    )
    if is_awaited or any(state.is_loading for state in states):
        held = [model for beat in live for model in beat.held if model.kind is kind]
        keys = [model.model_key for model in held if model.is_loading and not is_awaited]
        key = active.key if active.key in keys else next(iter(keys), active.key)
        return LoadedModel(model_key=key, is_loading=True)
    loaded = [state.model_key for state in states if state.model_key]
    key_or_none = active.key if active.key in loaded else next(iter(loaded), None)
    return LoadedModel(model_key=key_or_none, is_loading=False)


def _has_heard(state: ModelState | None, active: DesiredModel) -> bool:
    """Return True if a worker knows which model is active."""
    return state is not None and state.generation >= active.generation


def list_models(call: Call[None], services: CoreServices) -> AvailableModels:
    """Which models there are."""
    answer = AvailableModels(visual=[], speech=[], faces=[])
    active = {kind: active_key(services, kind) for kind in ModelKind}
    live = heartbeats.live(services.redis, services.settings.instance)
    elsewhere = {beat.host for beat in live} - {socket.gethostname()}
    there = {state.model_key for beat in live for state in beat.models.values()}
    if elsewhere:
        there |= Fetches(services.redis, services.settings.instance).fetched(elsewhere)
    for spec in model_catalogue.catalogue(services.settings).values():
        common: dict[str, Any] = {
            "model_key": spec.key,
            "display_name": spec.display_name,
            # The weights may lie on the workers' machine only.
            "is_downloaded": spec.key in there
            or model_catalogue.is_downloaded(services.settings, spec),
            "is_active": active[spec.kind] == spec.key,
            "size_bytes": spec.size_bytes,
            "licence": spec.licence,
            "commercial_use": spec.commercial_use,
            "source": spec.source,
            "limits": spec.limits,
            # What the libraries of other machines' workers are is not known here.
            "unsupported": None if elsewhere else libraries.why_not_here(spec),
        }
        if spec.kind is ModelKind.VISUAL:
            answer.visual.append(
                AvailableVisual(
                    **common,
                    resolution=spec.resolution,
                    embedding_dim=spec.dim,
                    multilingual=spec.multilingual,
                )
            )
        elif spec.kind is ModelKind.SPEECH:
            answer.speech.append(AvailableSpeech(**common, languages=list(spec.languages)))
        else:
            answer.faces.append(AvailableModel(**common))
    return answer


def load_model(call: Call[ModelLoadBody], services: CoreServices) -> ModelLoadAnswer | Reply:
    """Make a model the active one.

    200 when it is loaded already, 202 while it loads; what needs it answers 503 meanwhile.
    Embeddings made with another model are not searched until their files are analysed again;
    transcripts stay, whichever model wrote them.
    """
    body = call.body
    kind = ModelKind(body.model_type)
    spec = known_model(services, kind, body.model_key, "model_key")
    if holder := services.ledger.holder():
        raise Busy(f"The analysis {holder} is running; load a model when it has ended.")
    check_loadable(services, spec, "model_key")
    state = _loaded(services, kind)
    is_active = active_key(services, kind) == spec.key
    if is_active and state.model_key == spec.key and not state.is_loading:
        return Reply(
            200,
            ModelLoadAnswer(
                message=f"{spec.display_name} is loaded.", model_key=spec.key, is_loading=False
            ),
        )
    # Again also for the active one: it may have been unloaded since, or never been needed.
    live = heartbeats.live(services.redis, services.settings.instance)
    is_loading = any(beat.models[kind].is_loading for beat in live if kind in beat.models)
    if not (is_active and is_loading):
        heartbeats.desire(services.redis, services.settings.instance, kind, spec.key)
    return ModelLoadAnswer(
        message=f"{spec.display_name} is being loaded; see /models/loaded.",
        model_key=spec.key,
        is_loading=True,
    )


ENDPOINTS = (
    Endpoint(
        "GET /models/loaded",
        get_loaded_models,
        "Models",
        answer_example={"speech": {"model_key": None}, "faces": {"model_key": None}},
    ),
    Endpoint(
        "GET /models/available", list_models, "Models", answer_example={"speech": [], "faces": []}
    ),
    Endpoint(
        "POST /models/load",
        load_model,
        "Models",
        KeyScope.MODELS,
        also={
            200: (
                ModelLoadAnswer,
                {
                    "message": "ConSE Lite0 is loaded.",
                    "model_key": "conse-lite0",
                    "is_loading": False,
                },
            )
        },
        is_audited=True,
        errors={
            BadInput: "model_key: the weights of whisper-large-v3 are not on this machine. Fetch "
            "them with `rushes models pull whisper-large-v3`.",
            Busy: "The analysis 8f14e45fceea167a5a36dedd4bea2543 is running; load a model when it "
            "has ended.",
        },
        status=202,
        answer_example={"message": "Loading.", "is_loading": True},
    ),
)
