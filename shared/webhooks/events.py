"""What webhooks tell of, and the messages that carry it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class WebhookEvent(StrEnum):
    """Kinds of events that a webhook may ask for."""

    TASK_ENDED = "task.ended"  # an analysis, a regrouping or an export
    FILE_FAILED = "file.failed"
    INGEST_FINISHED = "ingest.finished"  # a file of a watch folder
    FOLDER_WAITING = "folder.waiting"  # a watch folder cannot go on


MOST_DEAD = 1_000  # messages of a webhook that are kept though they were given up
TEST = "webhook.test"
DROPPED = "webhook.dropped"  # more waited than is kept


class Message(msgspec.Struct, frozen=True):
    """An event on its way: what lies in an outbox, and what is sent but for `tries`.

    `id` is the same at every try, so that a receiver can tell what it has had.
    """

    id: str
    type: str
    timestamp: float  # when it happened, Unix seconds
    data: dict[str, Any]
