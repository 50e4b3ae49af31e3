"""Whose a task is, seen from a request."""

from __future__ import annotations

from typing import Any

from api.http.endpoint import Call
from shared.ledger.records import TaskRecord


def is_own(call: Call[Any], record: TaskRecord) -> bool:
    """Whether the task is of the request's key; those of earlier versions are everybody's."""
    return record.sender.owner in ("", call.sender.owner)


def caller(call: Call[Any]) -> str:
    """What people call the key of a request."""
    return call.sender.label or call.sender.owner
