"""A Task's record as clients see it, over HTTP and Socket.IO alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from api.http.client_paths import ClientPaths
from api.services import Services
from api.tasks.answers import TaskAnswer, TaskProgress
from shared.domain import FailedFile, TaskKind, TaskState
from shared.ledger.records import FileRecord, TaskRecord
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


def waiting_hint(
    services: Services, kind: TaskKind = TaskKind.ANALYZE, like: str | None = None
) -> str:
    """A sentence for tasks that wait, where no worker takes them up; else empty.

    `like`: a path of the client's, for the form of paths in it.
    """
    queue = _QUEUES[kind]
    live = heartbeats.live(services.redis, services.settings.instance, queue)
    if not live:
        return (
            f" No {queue} worker is running, so it waits; start one with `rushes worker {queue}`."
        )
    if all(beat.state == "waiting" for beat in live):
        return f" It waits: {services.paths.in_words(live[0].message, like)}"
    return ""


def hint_for(services: Services, record: TaskRecord) -> str:
    """The hint, asked for only where it is shown."""
    like = record.media_path or None
    return waiting_hint(services, record.kind, like) if _may_wait(record) else ""


def _may_wait(record: TaskRecord) -> bool:
    """Whether a Task may wait: also once begun, when its workers have died or cannot go on."""
    return not record.status.is_final and record.status is not TaskState.STOPPING


def task_answer(paths: ClientPaths, record: TaskRecord, hint: str) -> TaskAnswer:
    """What `/tasks` answers; `hint` is added to the message of a task that waits."""
    values = {name: getattr(record, name) for name in _FIELDS if name != "files"}
    values["failed_files"] = in_clients_form(paths, record.failed_files)
    like = record.media_path or next((file.media_path for file in record.failed_files), None)
    for name in ("message", "error"):
        values[name] = values[name] and paths.in_words(values[name], like)
    if _may_wait(record):
        values["message"] = ((values["message"] or _done(record)) + hint).strip()
    return TaskAnswer(**values)


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


def event(paths: ClientPaths, record: TaskRecord, hint: str) -> dict[str, object]:
    """Payload of the Socket.IO event `progress`."""
    answer = msgspec.to_builtins(task_answer(paths, record, hint))
    return {name: answer[name] for name in TaskProgress.__struct_fields__}
