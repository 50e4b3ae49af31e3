"""What a calibration by labels answers."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from api.http.answers import Count, Message

Share = Annotated[
    float,
    Meta(
        ge=0,
        le=1,
        description="Share of the matches of that strength that are right; null: there is none.",
        examples=[0.79],
    ),
]


class CalibrationAnswer(Struct, kw_only=True):
    """What scores of the model mean from now on; zeros where labels were forgotten."""

    message: Message
    model_key: Annotated[str, Meta(examples=["conse-lite0"])]
    """The model."""
    queries: Annotated[int, Meta(ge=0, examples=[98])]
    """Labelled queries."""
    found: Annotated[int, Meta(ge=0, examples=[87])]
    """Those with a right answer among their first three matches."""
    left_out: Count
    strong: Share | None
    fair: Share | None
    weak: Share | None
