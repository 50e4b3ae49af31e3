"""Which models there are, which is loaded, which answers; weights fetched for workers."""

from __future__ import annotations

import socket
from typing import Any

import msgspec

from api.http.endpoint import Call, Endpoint, Reply
from api.http.services import CoreServices
from api.models.answers import (
    AvailableModel,
    AvailableModels,
    AvailableSpeech,
    AvailableVisual,
    LoadedModel,
    LoadedModels,
    ModelFetch,
    ModelFetchAccepted,
    ModelFetches,
    ModelLoadAnswer,
)
from api.models.bodies import ModelFetchBody, ModelLoadBody
from api.models.model_keys import active_key, check_loadable, known_model
from shared.domain import ModelKind
from shared.errors import BadInput, Busy, ModelError, NoWorker
from shared.models import libraries, model_catalogue
from shared.models.fetches import Fetches
from shared.models.model_catalogue import active_models
from shared.models.specs import ModelSpec
from shared.redis import heartbeats
from shared.redis.heartbeats import DesiredModel, ModelState
from shared.rights import KeyScope


def get_loaded_models(call: Call[None], services: CoreServices) -> LoadedModels:
    """What is loaded.

    A model that `/models/load` has accepted is named here at once, and is loading until every
    worker that is to have it has loaded it or failed; `/ready?require=models` says why.
    """
    return LoadedModels(**{kind.value: _loaded(services, kind) for kind in ModelKind})


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
    kinds: dict[ModelKind, tuple[type[AvailableModel], list[Any]]] = {
        ModelKind.VISUAL: (AvailableVisual, answer.visual),
        ModelKind.SPEECH: (AvailableSpeech, answer.speech),
        ModelKind.FACES: (AvailableModel, answer.faces),
    }
    for spec in model_catalogue.catalogue(services.settings).values():
        facts = {
            **msgspec.structs.asdict(spec),
            "model_key": spec.key,
            "embedding_dim": spec.dim,
            # The weights may lie on the workers' machine only.
            "is_downloaded": spec.key in there
            or model_catalogue.is_downloaded(services.settings, spec),
            "is_active": active[spec.kind] == spec.key,
            # What the libraries of other machines' workers are is not known here.
            "unsupported": None if elsewhere else libraries.why_not_here(spec),
        }
        kind, models = kinds[spec.kind]
        models.append(msgspec.convert(facts, kind))
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


def fetch_model(call: Call[ModelFetchBody], services: CoreServices) -> ModelFetchAccepted:
    """Fetch the weights of a model.

    What `rushes models pull` does, by a worker of every machine that runs models, into its
    MODELS_DIR; machines that share that folder fetch once. A model that is there is not fetched
    again. A machine stops where its disk would be filled, and where nothing arrives for ten
    minutes. `/models/fetches` says how far it is; then `/models/load` makes it the active one.
    """
    spec = _allowed(services, call.body.model_key)
    fetches = Fetches(services.redis, services.settings.instance)
    able = sorted(set(fetches.workers().values()))
    if not able:
        raise NoWorker(
            f"No query or analysis worker is there that could fetch {spec.key}. Start `rushes "
            f"worker query`, or run `rushes models pull {spec.key}` where the workers run."
        )
    fetches.ask(spec.key, able)
    return ModelFetchAccepted(
        message=f"{spec.display_name} is being fetched on {', '.join(able)}; see /models/fetches.",
        model_key=spec.key,
    )


def _allowed(services: CoreServices, key: str) -> ModelSpec:
    """The model, if it is known and its licence is accepted. Raises BadInput naming the field."""
    try:
        spec = model_catalogue.find(services.settings, key)
        model_catalogue.require_allowed(services.settings, spec)
    except ModelError as error:
        raise BadInput(f"model_key: {error.message}") from None
    return spec


def list_model_fetches(call: Call[None], services: CoreServices) -> ModelFetches:
    """How far weights are.

    For each machine: what it fetches or fetched in the last day, the newest first. One whose
    worker has ended in the midst has failed.
    """
    found = Fetches(services.redis, services.settings.instance).standing()
    fetches = [msgspec.convert(one, ModelFetch, from_attributes=True) for one in found]
    for fetch in fetches:
        fetch.message = services.paths.in_words(fetch.message)
    return ModelFetches(fetches=fetches)


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
    Endpoint(
        "POST /models/fetch",
        fetch_model,
        "Models",
        KeyScope.MODELS,
        is_audited=True,
        status=202,
        errors={
            BadInput: "model_key: MobileCLIP-S2--datacompdr may not be used commercially (Apple "
            "AMLR: research only, no product use). If that is fine for you, set "
            "RUSHES_ALLOW_NONCOMMERCIAL=on.",
            Busy: "20 models are being fetched or wait for it: wait until some of them are there "
            "(see /models/fetches), then ask again.",
            NoWorker: "No query or analysis worker is there that could fetch whisper-base. Start "
            "`rushes worker query`, or run `rushes models pull whisper-base` where the workers "
            "run.",
        },
        answer_example={"message": "ConSE Lite0 is being fetched on edit3; see /models/fetches."},
    ),
    Endpoint("GET /models/fetches", list_model_fetches, "Models", KeyScope.MODELS),
)
