"""A Task's record as clients see it, over HTTP and Socket.IO, and what follows its acceptance."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from api.http.client_paths import ClientPaths
from api.http.services import CoreServices
from api.tasks.answers import TaskAnswer, TaskClient, TaskProgress, WaitingFor
from api.tasks.callers import is_in_roots
from shared.domain import FailedFile, TaskKind, TaskState
from shared.errors import RedisAway
from shared.ledger.records import FileRecord, ItemJob, NewTask, TaskRecord, WaitReason
from shared.process import logs
from shared.redis import heartbeats
from shared.redis.heartbeats import WorkerKind

F = TypeVar("F", FailedFile, FileRecord)

_QUEUES: dict[TaskKind, WorkerKind] = {
    TaskKind.ANALYZE: "analysis",
    TaskKind.INGEST: "analysis",
    TaskKind.RECLUSTER: "recluster",
    TaskKind.EXPORT: "export",
}
_FIELDS = TaskAnswer.__struct_fields__
_OUTSIDE = "Its files lie outside the folders of this licence key."


def waiting_hint(
    services: CoreServices, kind: TaskKind = TaskKind.ANALYZE, like: str | None = None
) -> str:
    """A sentence for a task that was just accepted and waits, as no worker is there; else empty.

    `like`: a path of the client's, for the form of paths in it.
    """
    reason = no_worker(services, kind)
    return f" {services.paths.in_words(reason.message, like)}" if reason else ""


def no_worker(services: CoreServices, kind: TaskKind) -> WaitReason | None:
    """The reason to wait of tasks of this kind where no process does such work."""
    queue = _QUEUES[kind]
    if heartbeats.live(services.redis, services.settings.instance, queue):
        return None
    words = f"No {queue} worker is running, so it waits; start one with `rushes worker {queue}`."
    return WaitReason("worker", queue, words)


def reason_of(services: CoreServices, record: TaskRecord) -> WaitReason | None:
    """As `own_reason`; workers are asked after only where it shows."""
    is_told = record.status.is_final or record.waiting_for is not None
    return own_reason(record, None if is_told else no_worker(services, record.kind))


def own_reason(record: TaskRecord, unserved: WaitReason | None) -> WaitReason | None:
    """Why a Task waits: its own reason, never another's, else `unserved`."""
    if record.status.is_final or record.status is TaskState.STOPPING:
        return None
    return record.waiting_for or unserved


def task_answer(paths: ClientPaths, record: TaskRecord, reason: WaitReason | None) -> TaskAnswer:
    """What `/tasks` answers; `reason` is why the task waits."""
    values = {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
    values["failed_files"] = in_clients_form(paths, record.failed_files)
    values["not_applicable"] = list(record.not_applicable) or msgspec.UNSET
    like = record.media_path or next((file.media_path for file in record.failed_files), None)
    for name in ("message", "error"):
        values[name] = values[name] and paths.in_words(values[name], like)
    values["waiting_for"] = None
    if reason:
        told = paths.in_words(reason.message, like)
        values["waiting_for"] = WaitingFor(
            code=reason.code,
            message=told,
            owner=(reason.owner or None) if _may_name_owner(paths, reason) else None,
        )
        it_waits = "" if reason.code == "worker" else "It waits: "
        first = f" {record.put_first_by} has put it first." if record.put_first_by else ""
        values["message"] = f"{_done(record)} {it_waits}{told}{first}"
    elif not values["message"]:
        values["message"] = _done(record)
    sender = record.sender
    values["owner"] = sender.label or sender.owner or None
    if sender.address or sender.client:
        values["client"] = TaskClient(address=sender.address, name=sender.client)
    if not is_in_roots(paths, record):
        values = hide_files(values)
    return TaskAnswer(**values)


def _may_name_owner(paths: ClientPaths, reason: WaitReason) -> bool:
    """Return True if the task that another one waits for lies in the roots of the key."""
    return paths.key_roots is None or (bool(reason.folders) and paths.is_of_key(*reason.folders))


def hide_files(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a task as a key may read them in whose roots it does not lie."""
    nothing = dict.fromkeys(("media_path", "waiting_for", "owner", "client"))
    error = _OUTSIDE if values["error"] else None
    message = f"{values['current']} of {values['total']} done. {_OUTSIDE}"
    hidden = {**values, **nothing, "failed_files": [], "error": error, "message": message}
    hidden.pop("not_applicable", None)
    return hidden


def in_clients_form(paths: ClientPaths, files: Iterable[F]) -> list[F]:
    """Files of a Task, with the client's paths also where it says why they failed."""
    return [
        msgspec.structs.replace(file, error=paths.in_words(file.error, file.media_path))
        if file.error
        else file
        for file in files
    ]


def _done(record: TaskRecord) -> str:
    if record.kind is TaskKind.RECLUSTER:  # no file, but a collection
        return "Grouping has not begun."
    if record.kind is TaskKind.EXPORT:
        return f"{record.current} of {record.total} clips done."
    return f"{record.current} of {record.total} files done."


def event(paths: ClientPaths, record: TaskRecord, reason: WaitReason | None) -> dict[str, object]:
    """Payload of the Socket.IO event `progress`."""
    answer = msgspec.to_builtins(task_answer(paths, record, reason))
    return {name: answer[name] for name in TaskProgress.__struct_fields__ if name in answer}


def type_ends(record: TaskRecord, payload: dict[str, object]) -> dict[str, dict[str, object]]:
    """Return the last event of each type all of whose files have ended; none ends the Task."""
    state: dict[str, object] = {**payload, "failed_files": []}
    state.pop("not_applicable", None)
    if record.status.is_final:
        is_stopped = record.status is TaskState.CANCELLED
        state["status"] = TaskState.STOPPING if is_stopped else TaskState.RUNNING
        state["error"] = state["superseded_by"] = None
    return {
        kind: {
            **state,
            **{"type": kind, "progress": 100.0, "current": total, "total": total},
            "message": f"{total} of {total} files done.",
        }
        for kind, total in record.finished_types
    }


def event_within(
    paths: ClientPaths, record: TaskRecord | None, payload: dict[str, Any]
) -> dict[str, Any]:
    """Return an event as it is sent to a socket whose key has roots, those of `paths`."""
    if record is None:  # lost, and the message says so
        return {**hide_files(payload), "message": payload["message"], "error": payload["error"]}
    if not is_in_roots(paths, record):
        return hide_files(payload)
    waits = payload.get("waiting_for")
    if waits and not (record.waiting_for and _may_name_owner(paths, record.waiting_for)):
        return {**payload, "waiting_for": {**waits, "owner": None}}
    return payload


def without_names(payload: dict[str, Any]) -> dict[str, Any]:
    """An event for a socket that came without a key: nobody's name, and no client."""
    told = payload.get("waiting_for")
    anonymous = {**told, "owner": None} if isinstance(told, dict) else None
    return {**payload, "owner": None, "client": None, "waiting_for": anonymous}


log = logging.getLogger(__name__)
AT_ONCE = 1_000  # a job costs 90 us and more


def note_accepted(task: NewTask, *, turn: str = "") -> None:
    """Log who sent it; what this thread logs from here on has its id."""
    logs.task_id_var.set(task.task_id)
    sender = task.sender
    words = (task.kind, sender.label or sender.owner, sender.address, sender.client)
    files = sum(len(item.files) for item in task.items)
    log.info("Accepted: %s of %s (%s, %s), %d files.%s", *words, files, turn)


def enqueue(services: CoreServices, task: NewTask, *, front: bool = True) -> None:
    """Wake the workers; those of a large task that the client need not wait for, in a thread."""
    jobs = [ItemJob(task.task_id, n, task.queue, front) for n in range(len(task.items))]
    _enqueue_or_warn(services, jobs[:AT_ONCE])
    if len(jobs) > AT_ONCE:
        rest = jobs[AT_ONCE:]
        threading.Thread(target=_enqueue_or_warn, args=(services, rest), daemon=True).start()


def _enqueue_or_warn(services: CoreServices, jobs: list[ItemJob]) -> None:
    """Enqueue jobs of a Task that is accepted already; the sweep enqueues a lost one again."""
    try:
        services.jobs.enqueue(jobs)
    except RedisAway as error:
        log.warning(
            "task %s is accepted, its jobs are enqueued later: %s", jobs[0].task_id, error.message
        )
