"""Whose a task is, seen from a request."""

from __future__ import annotations

from typing import Any

from api.http.endpoint import Call
from shared.domain import TaskKind, TaskState
from shared.ledger.records import TaskRecord
from shared.rights import KeyScope


def is_own(call: Call[Any], record: TaskRecord) -> bool:
    """Whether the task is of the request's key; those of earlier versions are everybody's."""
    return record.sender.owner in ("", call.sender.owner)


def caller(call: Call[Any]) -> str:
    """What people call the key of a request."""
    return call.sender.label or call.sender.owner


def scopes_to_stop(call: Call[Any], record: TaskRecord) -> tuple[KeyScope, ...]:
    """What the request's key must have to stop the task: nothing for its own."""
    if record.kind is TaskKind.INGEST:  # the watcher's
        return (KeyScope.WATCH,)
    return () if is_own(call, record) else (KeyScope.ADMIN,)


def scopes_to_put_first(
    call: Call[Any], record: TaskRecord, *, of_all: bool = False
) -> tuple[KeyScope, ...]:
    """What the request's key must have to put the task first."""
    is_others = of_all or not is_own(call, record)
    return (KeyScope.ANALYZE, KeyScope.ADMIN) if is_others else (KeyScope.ANALYZE,)


def may_stop(call: Call[Any], record: TaskRecord) -> bool:
    """Whether the key may stop the task, and it can be stopped."""
    is_open = not record.status.is_final and record.status is not TaskState.STOPPING
    return is_open and _has(call, scopes_to_stop(call, record))


def may_put_first(call: Call[Any], record: TaskRecord) -> bool:
    """Whether the task waits in line, and the key may put it first."""
    return record.place is not None and _has(call, scopes_to_put_first(call, record))


def _has(call: Call[Any], scopes: tuple[KeyScope, ...]) -> bool:
    return all(call.key is not None and call.key.has(scope) for scope in scopes)
