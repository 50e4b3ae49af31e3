"""What goes over Socket.IO, as types that the OpenAPI document shows; OpenAPI has no events."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from api.http.answers import Message
from api.tasks.answers import TaskProgress
from api.watch.answers import WatchStatus
from shared.watch.live import ROOM


class Joined(Struct, kw_only=True):
    """Acknowledges the events `join` and `leave`; what is refused is acknowledged as ErrorBody."""

    message: Message
    task_id: Annotated[
        str,
        Meta(description="What was joined or left.", examples=["8f14e45fceea167a5a36dedd4bea2543"]),
    ]


class WatchProgress(WatchStatus, kw_only=True):
    """The event `progress` of the room `watch-folders`: the status of the service."""

    task_id: Annotated[Literal["watch-folders"], Meta(description="The room.", examples=[ROOM])]
    type: Annotated[Literal["ingest"], Meta(description="Always ingest.", examples=["ingest"])]


EVENTS = (TaskProgress, WatchProgress, Joined)
