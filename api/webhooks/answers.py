"""Answers about webhooks, as types; see api.http.answers."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from api.http.answers import Count, Message
from shared.webhooks.events import WebhookEvent

_Moment = Annotated[float, Meta(description="Unix seconds.", examples=[1764028800.0])]


class DeadWebhookMessage(Struct, kw_only=True):
    """A message that was given up after a day."""

    id: Annotated[str, Meta(examples=["task.ended:8f14e45f"])]
    """Of the message."""
    type: Annotated[str, Meta(examples=["task.ended"])]
    """Of the event."""
    timestamp: _Moment
    data: Annotated[dict[str, Any], Meta(examples=[{"status": "completed"}])]
    """What was to be told."""
    error: Annotated[str, Meta(examples=["It answered 500."])]
    """Why the last try failed."""


class WebhookAnswer(Struct, kw_only=True):
    """A webhook; its secret is never shown."""

    id: Annotated[str, Meta(examples=["5f2b9c0e1d3a4b67"])]
    """Id of the webhook."""
    url: Annotated[str, Meta(examples=["https://mam.example/hooks/rushes"])]
    """Of the receiver."""
    events: Annotated[list[WebhookEvent], Meta(examples=[["task.ended", "file.failed"]])]
    """What it is told of."""
    created_at: _Moment
    waiting: Count
    dropped: Count
    last_sent_at: _Moment | None
    last_error: Annotated[str, Meta(examples=["No answer."])] | None
    """Why the last try failed; null when fine."""
    dead: list[DeadWebhookMessage]
    """Given up after a day, the newest first."""


class WebhookList(Struct):
    """All webhooks, the oldest first."""

    webhooks: list[WebhookAnswer]
    """Each with how its sending goes."""


class WebhookRemoved(Struct):
    """A webhook is no more."""

    message: Message


class WebhookTested(Struct, kw_only=True):
    """What became of a test message."""

    delivered: Annotated[bool, Meta(examples=[True])]
    """The receiver took it."""
    message: Message


class DeadMessagesMoved(Struct, kw_only=True):
    """What became of messages that were given up."""

    message: Message
    count: Count
