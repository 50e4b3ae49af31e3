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
    model_key: Annotated[str, Meta(description="The model.", examples=["conse-lite0"])]
    queries: Annotated[int, Meta(ge=0, description="Labelled queries.", examples=[98])]
    found: Annotated[
        int,
        Meta(
            ge=0,
            description="Those with a right answer among their first three matches.",
            examples=[87],
        ),
    ]
    left_out: Count
    strong: Share | None
    fair: Share | None
    weak: Share | None
