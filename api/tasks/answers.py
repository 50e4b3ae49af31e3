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
    cancelled: Annotated[bool, Meta(description="A task was asked to stop.")]
    task_id: TaskId | None


class PutFirst(Struct, kw_only=True):
    """Whether a waiting task was put first."""

    message: Message
    moved: Annotated[bool, Meta(description="It waits, and comes first now.")]
    place: (
        Annotated[int, Meta(ge=1, description="Its place in line; 1 is next.", examples=[1])] | None
    )


class WaitingFor(Struct, kw_only=True):
    """Why a task does not go on."""

    code: Annotated[
        WaitCode,
        Meta(
            title="WaitCode",
            description="`turn`: another analysis is before it; `model`, `root`, `worker`: what is "
            "nowhere. It goes on by itself.",
            examples=["turn"],
        ),
    ]
    message: Annotated[
        str, Meta(description="For people.", examples=["Another analysis is running."])
    ]
    owner: (
        Annotated[str, Meta(description="Whose task it waits for.", examples=["Editing 2"])] | None
    ) = None


class TaskClient(Struct, kw_only=True):
    """The client that sent a task."""

    address: Annotated[str, Meta(description="As the server sees it.", examples=["10.0.0.17"])]
    name: Annotated[str, Meta(description="Its User-Agent.", examples=["rushes-cli/1.0"])]


class TaskProgress(Struct, kw_only=True):
    """The event `progress` over Socket.IO: the last state of a task."""

    task_id: TaskId
    type: Annotated[ProgressType, Meta(description='"video" is the visual part.')]
    status: TaskState
    progress: Annotated[float, Meta(description="0 to 100 for the type.", examples=[42.5])]
    overall_progress: Annotated[float, Meta(description="0 to 100 for the whole task.")]
    current: Annotated[
        int,
        Meta(description="Files (of an export: clips) that have ended. A recluster counts as one."),
    ]
    total: Annotated[int, Meta(description="Files.")]
    media_path: (
        Annotated[
            str,
            Meta(
                description="The file it is at; null: none, as of a recluster.",
                examples=["/footage/day1/A005.mov"],
            ),
        ]
        | None
    )
    message: Message
    eta_seconds: Annotated[float, Meta(description="Estimate of what is left.")] | None
    failed_files: Annotated[
        list[FailedFile], Meta(description="Files that failed, once the task has ended.")
    ]
    error: (
        Annotated[
            str, Meta(description="Why the whole task failed.", examples=["No worker could do it."])
        ]
        | None
    )
    superseded_by: (
        Annotated[
            str,
            Meta(
                description="The task that replaced this one.",
                examples=["c9f0f895fb98ab9159f51fd0297e236d"],
            ),
        ]
        | None
    )
    waiting_for: Annotated[
        WaitingFor | None,
        Meta(
            description="Why it does not go on.",
            examples=[{"code": "turn", "message": "Another analysis is running.", "owner": None}],
        ),
    ] = None
    place: (
        Annotated[int, Meta(description="In the line of those that wait; 1 is next.", examples=[2])]
        | None
    ) = None
    owner: (
        Annotated[
            str,
            Meta(
                description="Whose it is: the label of the key that sent it, else the key's id. "
                "Null for a socket without a key.",
                examples=["Editing 1"],
            ),
        ]
        | None
    ) = None
    client: Annotated[
        TaskClient | None,
        Meta(
            description="Who sent it; null for a socket without a key.",
            examples=[{"address": "10.0.0.17", "name": "rushes-cli/1.0"}],
        ),
    ] = None

    not_applicable: (
        Annotated[
            list[NotApplicable],
            Meta(
                description="Files that have nothing of what was asked for, such as speech in a "
                "file without an audio track, once the task has ended. They have not failed. "
                "Absent where there are none.",
                examples=[[{"media_path": "/footage/b.mov", "reason": "It has no audio track."}]],
            ),
        ]
        | UnsetType
    ) = UNSET


class TaskAnswer(TaskProgress, kw_only=True):
    """A task."""

    kind: TaskKind
    created_at: Annotated[float, Meta(description="Unix seconds.")]
    finished_at: Annotated[float, Meta(description="Unix seconds.", examples=[1764028900.0])] | None
    files: (
        Annotated[
            list[FileRecord],
            Meta(
                description="Only with ?files=true.",
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
                ],
            ),
        ]
        | None
    ) = None
    rate: Annotated[
        float | UnsetType | None,
        Meta(
            description="Only with ?details=true: seconds of footage that were worked through in a "
            "second of the last minutes; pictures, speech and faces each count. Null: not known.",
            examples=[41.5],
        ),
    ] = UNSET
    footage_seconds: Annotated[
        float | UnsetType | None,
        Meta(
            description="With `details`: footage worked through so far, counted as in `rate`. Null "
            "where that was not counted.",
            examples=[7200.0],
        ),
    ] = UNSET
    failed_count: (
        Annotated[
            int,
            Meta(ge=0, description="With `details`: files that have failed so far.", examples=[2]),
        ]
        | UnsetType
    ) = UNSET
    may_cancel: Annotated[
        bool | UnsetType,
        Meta(
            description="With `details`: the key may stop it, and it can be stopped.",
            examples=[True],
        ),
    ] = UNSET
    may_put_first: Annotated[
        bool | UnsetType,
        Meta(
            description="With `details`: it waits for its turn, and the key may put it before the "
            "others of its owner.",
            examples=[False],
        ),
    ] = UNSET
    cache_dir: Annotated[
        str | UnsetType | None,
        Meta(
            description="With `details`: where its results go, in the client's form. Null: "
            "nowhere, or the key may not go there.",
            examples=["/footage/.rushes"],
        ),
    ] = UNSET
    is_own: Annotated[
        bool | UnsetType,
        Meta(description="With `details`: this key has sent it.", examples=[True]),
    ] = UNSET


class TaskList(Struct, kw_only=True):
    """Newest first; of open tasks what runs, then what waits, in the order of the line."""

    tasks: Annotated[list[TaskAnswer], Meta(description="The tasks.")]
    next: Annotated[
        str | UnsetType | None,
        Meta(
            description="For `after`: leads to the next page; null: no more. Only where `limit` or "
            "`after` was given.",
            examples=["WzEsMiwxNzY0MDI4ODAwLjAsIjhmMTRlNDVmY2VlYTE2N2E1YTM2ZGVkZDRiZWEyNTQzIl0"],
        ),
    ] = UNSET
