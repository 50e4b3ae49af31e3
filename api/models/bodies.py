"""Request bodies about models; see api.http.bodies for what holds of all bodies."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from api.http.bodies import Keyed, Word


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
