"""Whose a task is, seen from a request."""

from __future__ import annotations

from typing import Any

from api.http.client_paths import ClientPaths
from api.http.endpoint import Call
from api.http.errors import ScopeMissing
from shared.domain import TaskKind, TaskState
from shared.errors import NotAllowed
from shared.ledger.records import TaskRecord
from shared.rights import KeyScope

# What may be wrong with a task of another key, for the OpenAPI document.
OUTSIDE = (
    "Task 8f14e45fceea167a5a36dedd4bea2543 works on files outside the folders of this licence key."
)
OF_OTHERS = {
    NotAllowed: OUTSIDE,
    ScopeMissing: "This licence key lacks the scope 'admin'; it has analyze.",
}


def is_own(call: Call[Any], record: TaskRecord) -> bool:
    """Whether the task is of the request's key; those of earlier versions are everybody's."""
    return record.sender.owner in ("", call.sender.owner)


def is_in_roots(paths: ClientPaths, record: TaskRecord) -> bool:
    """Return True if the task is of the licence key, or all its files lie in the key's roots."""
    if paths.key_roots is None or record.sender.owner == paths.key_id != "":
        return True
    return bool(record.folders) and paths.is_of_key(*record.folders)


def check_in_roots(call: Call[Any], record: TaskRecord) -> None:
    """Raise NotAllowed for another key's task outside the roots of the request's key."""
    if not is_in_roots(call.paths, record):
        raise NotAllowed(
            f"Task {record.task_id} works on files outside the folders of this licence key."
        )


def check_rootless(paths: ClientPaths, what: str) -> None:
    """Raise NotAllowed if the licence key has roots: `what` concerns the tasks of everybody."""
    if paths.key_roots is not None:
        raise NotAllowed(f"{what} concerns all tasks: it needs a licence key without roots.")


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
    return is_open and is_in_roots(call.paths, record) and _has(call, scopes_to_stop(call, record))


def may_put_first(call: Call[Any], record: TaskRecord) -> bool:
    """Whether the task waits in line, and the key may put it first."""
    may = _has(call, scopes_to_put_first(call, record))
    return record.place is not None and may and is_in_roots(call.paths, record)


def _has(call: Call[Any], scopes: tuple[KeyScope, ...]) -> bool:
    return all(call.key is not None and call.key.has(scope) for scope in scopes)
