"""What is answered about the server's health."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct


class Health(Struct):
    """The server answers."""

    status: Annotated[Literal["ok"], Meta(description="Always ok.", examples=["ok"])] = "ok"


class ReadyChecks(Struct, kw_only=True):
    """What was looked at."""

    redis: Annotated[bool, Meta(description="Redis answers.", examples=[True])]
    query_worker: Annotated[bool, Meta(description="A query worker is alive.", examples=[True])]
    analysis_worker: Annotated[
        bool, Meta(description="An analysis worker is alive.", examples=[True])
    ]


class Readiness(Struct, kw_only=True):
    """All that is required is there."""

    ready: Annotated[bool, Meta(description="All that is required is there.")]
    checks: ReadyChecks
    workers: Annotated[dict[str, int], Meta(description="Live workers by kind.")]
    loading: Annotated[bool, Meta(description="A worker is still loading its model.")]


class NotReady(Readiness, kw_only=True):
    """Something that is required is missing."""

    error: Annotated[str, Meta(description="Short label.", examples=["Not ready"])]
    message: Annotated[
        str,
        Meta(
            description="What is missing, a sentence each, and how to mend it.",
            examples=["No analysis worker is running. Start `rushes worker analysis`."],
        ),
    ]
