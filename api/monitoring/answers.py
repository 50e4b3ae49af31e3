"""What is answered about the server's health."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct


class Health(Struct):
    """The server answers."""

    status: Annotated[Literal["ok"], Meta(examples=["ok"])] = "ok"
    """Always ok."""


class ReadyChecks(Struct, kw_only=True):
    """What was looked at."""

    redis: Annotated[bool, Meta(examples=[True])]
    """Redis answers."""
    query_worker: Annotated[bool, Meta(examples=[True])]
    """A query worker is alive."""
    analysis_worker: Annotated[bool, Meta(examples=[True])]
    """An analysis worker is alive."""


class Readiness(Struct, kw_only=True):
    """All that is required is there."""

    ready: Annotated[bool, Meta(examples=[True])]
    """All that is required is there."""
    checks: ReadyChecks
    workers: Annotated[dict[str, int], Meta(examples=[{"query": 1, "analysis": 2}])]
    """Live workers by kind."""
    loading: bool
    """A worker is still loading its model."""


class NotReady(Readiness, kw_only=True):
    """Something that is required is missing."""

    error: Annotated[str, Meta(examples=["Not ready"])]
    """Short label."""
    message: Annotated[
        str, Meta(examples=["No analysis worker is running. Start `rushes worker analysis`."])
    ]
    """What is missing, a sentence each, and how to mend it."""
