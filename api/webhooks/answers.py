"""Answers about webhooks, as types; see api.http.answers."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from api.http.answers import Count, Message
from shared.webhooks.events import WebhookEvent

_Moment = Annotated[float, Meta(description="Unix seconds.", examples=[1764028800.0])]


class DeadWebhookMessage(Struct, kw_only=True):
    """A message that was given up after a day."""

    id: Annotated[str, Meta(description="Of the message.", examples=["task.ended:8f14e45f"])]
    type: Annotated[str, Meta(description="Of the event.", examples=["task.ended"])]
    timestamp: _Moment
    data: Annotated[
        dict[str, Any],
        Meta(description="What was to be told.", examples=[{"status": "completed"}]),
    ]
    error: Annotated[
        str, Meta(description="Why the last try failed.", examples=["It answered 500."])
    ]


class WebhookAnswer(Struct, kw_only=True):
    """A webhook; its secret is never shown."""

    id: Annotated[str, Meta(description="Id of the webhook.", examples=["5f2b9c0e1d3a4b67"])]
    url: Annotated[
        str, Meta(description="Of the receiver.", examples=["https://mam.example/hooks/rushes"])
    ]
    events: Annotated[list[WebhookEvent], Meta(description="What it is told of.")]
    created_at: _Moment
    waiting: Count
    dropped: Count
    last_sent_at: _Moment | None
    last_error: (
        Annotated[
            str,
            Meta(description="Why the last try failed; null when fine.", examples=["No answer."]),
        ]
        | None
    )
    dead: Annotated[
        list[DeadWebhookMessage], Meta(description="Given up after a day, the newest first.")
    ]


class WebhookList(Struct):
    """All webhooks, the oldest first."""

    webhooks: Annotated[list[WebhookAnswer], Meta(description="Each with how its sending goes.")]


class WebhookRemoved(Struct):
    """A webhook is no more."""

    message: Message


class WebhookTested(Struct, kw_only=True):
    """What became of a test message."""

    delivered: Annotated[bool, Meta(description="The receiver took it.", examples=[True])]
    message: Message


class DeadMessagesMoved(Struct, kw_only=True):
    """What became of messages that were given up."""

    message: Message
    count: Count
