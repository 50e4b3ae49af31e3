"""Request bodies about models; see api.http.bodies for what holds of all bodies."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from api.http.bodies import LONGEST_WORD, Keyed


class ModelLoadBody(Keyed, kw_only=True):
    """Make a model the active one of its kind and load it."""

    model_key: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=LONGEST_WORD,
            description="A key of /models/available.",
            examples=["conse-lite0"],
        ),
    ]
    model_type: Annotated[
        Literal["visual", "speech", "faces"], Meta(title="ModelKind", description="Kind of model.")
    ] = "visual"


class ModelFetchBody(Keyed, kw_only=True):
    """Fetch the weights of a model."""

    model_key: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=LONGEST_WORD,
            description="A key of /models/available, or another one that `rushes models pull` "
            "takes, such as `<organisation>/<name>` of a Whisper model.",
            examples=["whisper-base"],
        ),
    ]
