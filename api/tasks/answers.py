"""What is answered about tasks, over HTTP and Socket.IO alike."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from api.http.answers import Message
from shared.domain import FailedFile, NotApplicable, ProgressType, TaskKind, TaskState
from shared.ledger.records import FileRecord, WaitCode

TaskId = Annotated[
    str,
    Meta(
        description="Join it over Socket.IO for progress.",
        examples=["8f14e45fceea167a5a36dedd4bea2543"],
    ),
]


class Accepted(Struct, kw_only=True):
    """Background work has begun, or waits for its turn."""

    message: Message
    task_id: TaskId


class CancelAnswer(Struct, kw_only=True):
    """Whether something was asked to stop."""

    message: Message
    cancelled: Annotated[bool, Meta(examples=[True])]
    """A task was asked to stop."""
    task_id: TaskId | None


class PutFirst(Struct, kw_only=True):
    """Whether a waiting task was put first."""

    message: Message
    moved: Annotated[bool, Meta(examples=[True])]
    """It waits, and comes first now."""
    place: Annotated[int, Meta(ge=1, examples=[1])] | None
    """Its place in line; 1 is next."""


class WaitingFor(Struct, kw_only=True):
    """Why a task does not go on."""

    code: Annotated[WaitCode, Meta(title="WaitCode", examples=["turn"])]
    """`turn`: another analysis is before it; `model`, `root`, `worker`: what is nowhere. It goes on
    by itself."""
    message: Annotated[str, Meta(examples=["Another analysis is running."])]
    """For people."""
    owner: Annotated[str, Meta(examples=["Editing 2"])] | None = None
    """Whose task it waits for."""


class TaskClient(Struct, kw_only=True):
    """The client that sent a task."""

    address: Annotated[str, Meta(examples=["10.0.0.17"])]
    """As the server sees it."""
    name: Annotated[str, Meta(examples=["rushes-cli/1.0"])]
    """Its User-Agent."""


class TaskProgress(Struct, kw_only=True):
    """The event `progress` over Socket.IO: the last state of a task."""

    task_id: TaskId
    type: Annotated[ProgressType, Meta(examples=["video"])]
    """"video" is the visual part."""
    status: TaskState
    progress: Annotated[float, Meta(examples=[42.5])]
    """0 to 100 for the type."""
    overall_progress: Annotated[float, Meta(examples=[42.5])]
    """0 to 100 for the whole task."""
    current: Annotated[int, Meta(examples=[4])]
    """Files (of an export: clips) that have ended. A recluster counts as one."""
    total: Annotated[int, Meta(examples=[10])]
    """Files."""
    media_path: Annotated[str, Meta(examples=["/footage/day1/A005.mov"])] | None
    """The file it is at; null: none, as of a recluster."""
    message: Message
    eta_seconds: Annotated[float, Meta(examples=[73.0])] | None
    """Estimate of what is left."""
    failed_files: list[FailedFile]
    """Files that failed, once the task has ended."""
    error: Annotated[str, Meta(examples=["No worker could do it."])] | None
    """Why the whole task failed."""
    superseded_by: Annotated[str, Meta(examples=["c9f0f895fb98ab9159f51fd0297e236d"])] | None
    """The task that replaced this one."""
    waiting_for: Annotated[
        WaitingFor | None,
        Meta(examples=[{"code": "turn", "message": "Another analysis is running.", "owner": None}]),
    ] = None
    """Why it does not go on."""
    place: Annotated[int, Meta(examples=[2])] | None = None
    """In the line of those that wait; 1 is next."""
    owner: Annotated[str, Meta(examples=["Editing 1"])] | None = None
    """Whose it is: the label of the key that sent it, else the key's id. Null for a socket without
    a key."""
    client: Annotated[
        TaskClient | None, Meta(examples=[{"address": "10.0.0.17", "name": "rushes-cli/1.0"}])
    ] = None
    """Who sent it; null for a socket without a key."""

    not_applicable: (
        Annotated[
            list[NotApplicable],
            Meta(examples=[[{"media_path": "/footage/b.mov", "reason": "It has no audio track."}]]),
        ]
        | UnsetType
    ) = UNSET
    """Files that have nothing of what was asked for, such as speech in a file without an audio
    track, once the task has ended. They have not failed. Absent where there are none."""


class TaskAnswer(TaskProgress, kw_only=True):
    """A task."""

    kind: TaskKind
    created_at: Annotated[float, Meta(examples=[1764028800.0])]
    """Unix seconds."""
    finished_at: Annotated[float, Meta(examples=[1764028900.0])] | None
    """Unix seconds."""
    files: (
        Annotated[
            list[FileRecord],
            Meta(
                examples=[
                    [
                        {
                            "media_path": "/footage/day1/A001.mov",
                            "state": "done",
                            "worker": "analysis-1",
                            "error": None,
                            "fault": None,
                        }
                    ]
                ]
            ),
        ]
        | None
    ) = None
    """Only with ?files=true."""
    rate: Annotated[float | UnsetType | None, Meta(examples=[41.5])] = UNSET
    """Only with ?details=true: seconds of footage that were worked through in a second of the last
    minutes; pictures, speech and faces each count. Null: not known."""
    footage_seconds: Annotated[float | UnsetType | None, Meta(examples=[7200.0])] = UNSET
    """With `details`: footage worked through so far, counted as in `rate`. Null where that was not
    counted."""
    failed_count: Annotated[int, Meta(ge=0, examples=[2])] | UnsetType = UNSET
    """With `details`: files that have failed so far."""
    may_cancel: Annotated[bool | UnsetType, Meta(examples=[True])] = UNSET
    """With `details`: the key may stop it, and it can be stopped."""
    may_put_first: Annotated[bool | UnsetType, Meta(examples=[False])] = UNSET
    """With `details`: it waits for its turn, and the key may put it before the others of its
    owner."""
    cache_dir: Annotated[str | UnsetType | None, Meta(examples=["/footage/.rushes"])] = UNSET
    """With `details`: where its results go, in the client's form. Null: nowhere, or the key may not
    go there."""
    is_own: Annotated[bool | UnsetType, Meta(examples=[True])] = UNSET
    """With `details`: this key has sent it."""


class TaskList(Struct, kw_only=True):
    """Newest first; of open tasks what runs, then what waits, in the order of the line."""

    tasks: list[TaskAnswer]
    """The tasks."""
    next: Annotated[
        str | UnsetType | None,
        Meta(examples=["WzEsMiwxNzY0MDI4ODAwLjAsIjhmMTRlNDVmY2VlYTE2N2E1YTM2ZGVkZDRiZWEyNTQzIl0"]),
    ] = UNSET
    """For `after`: leads to the next page; null: no more. Only where `limit` or `after` was
    given."""
