"""A Task's record as clients see it, over HTTP and Socket.IO alike."""

from __future__ import annotations

import msgspec

from api.answers import TaskAnswer, TaskProgress
from api.services import Services
from shared import heartbeats
from shared.domain import TaskKind, TaskState
from shared.heartbeats import WorkerKind
from shared.task_records import TaskRecord

_QUEUES: dict[TaskKind, WorkerKind] = {
    TaskKind.ANALYZE: "analysis",
    TaskKind.INGEST: "analysis",
    TaskKind.RECLUSTER: "recluster",
    TaskKind.EXPORT: "export",
}
_FIELDS = TaskAnswer.__struct_fields__


def waiting_hint(services: Services, kind: TaskKind = TaskKind.ANALYZE) -> str:
    """A sentence for tasks that wait, where no worker takes them up; else empty."""
    queue = _QUEUES[kind]
    live = heartbeats.live(services.redis, services.settings.instance, queue)
    if not live:
        return (
            f" No {queue} worker is running, so it waits; start one with `rushes worker {queue}`."
        )
    if all(beat.state == "waiting" for beat in live):
        return f" It waits: {live[0].message}"
    return ""


def hint_for(services: Services, record: TaskRecord) -> str:
    """The hint, asked for only where it is shown."""
    return waiting_hint(services, record.kind) if _may_wait(record) else ""


def _may_wait(record: TaskRecord) -> bool:
    """Also a Task that has begun waits, once its workers have died or cannot go on."""
    return not record.status.is_final and record.status is not TaskState.STOPPING


def task_answer(record: TaskRecord, hint: str) -> TaskAnswer:
    """What `/tasks` answers; `hint` is added to the message of a task that waits."""
    values = {name: getattr(record, name) for name in _FIELDS if name != "files"}
    values["failed_files"] = list(record.failed_files)
    if _may_wait(record):
        values["message"] = ((record.message or _done(record)) + hint).strip()
    return TaskAnswer(**values)


def _done(record: TaskRecord) -> str:
    if record.kind is TaskKind.RECLUSTER:  # no file, but a collection
        return "Grouping has not begun."
    if record.kind is TaskKind.EXPORT:
        return f"{record.current} of {record.total} clips done."
    return f"{record.current} of {record.total} files done."


def event(record: TaskRecord, hint: str) -> dict[str, object]:
    """Payload of the Socket.IO event `progress`."""
    answer = msgspec.to_builtins(task_answer(record, hint))
    return {name: answer[name] for name in TaskProgress.__struct_fields__}
