"""What goes over Socket.IO, as types that the OpenAPI document shows; OpenAPI has no events."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from api.http.answers import Message
from api.tasks.answers import TaskProgress
from api.watch.answers import WatchStatus
from shared.watch.live import ROOM

TASKS_ROOM = "tasks"


class Joined(Struct, kw_only=True):
    """Acknowledges the events `join` and `leave`; what is refused is acknowledged as ErrorBody."""

    message: Message
    task_id: Annotated[str, Meta(examples=["8f14e45fceea167a5a36dedd4bea2543"])]
    """What was joined or left."""


class WatchProgress(WatchStatus, kw_only=True):
    """The event `progress` of the room `watch-folders`: the status of the service."""

    task_id: Annotated[Literal["watch-folders"], Meta(examples=[ROOM])]
    """The room."""
    type: Annotated[Literal["ingest"], Meta(examples=["ingest"])]
    """Always ingest."""


class TasksChanged(Struct, kw_only=True):
    """The event `progress` of the room `tasks`: ask `GET /tasks` again, some task has changed.

    At most one a second.
    """

    task_id: Annotated[Literal["tasks"], Meta(examples=[TASKS_ROOM])]
    """The room."""
    type: Annotated[Literal["tasks"], Meta(examples=["tasks"])]
    """Always tasks."""
    open: Annotated[int, Meta(ge=0, examples=[2])]
    """How many tasks run or wait."""
    seq: Annotated[int, Meta(ge=0, examples=[17])]
    """Higher each time; it begins anew with the server."""


EVENTS = (TaskProgress, WatchProgress, TasksChanged, Joined)
