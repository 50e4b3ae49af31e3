"""What /export/clips answers, and /tasks/{task_id}/exports."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from api.http.answers import ClientPath
from api.tasks.answers import TaskId
from shared.domain import TaskState
from shared.exports.clips import ClipCode

Warnings = Annotated[list[str], Meta(description="What in it is not as asked for.", examples=[[]])]


class ExportedClip(Struct, kw_only=True, omit_defaults=True):
    """A clip that was exported."""

    index: Annotated[int, Meta(ge=0, description="Its place in the request.", examples=[0])]
    output_path: Annotated[
        str,
        Meta(
            description="The new file, in the client's form.",
            examples=["/footage/exports/A001_10-00-12-00_10-00-20-00.mov"],
        ),
    ]
    media_path: ClientPath
    start_seconds: Annotated[
        float, Meta(description="Where it begins in the media, handles included.", examples=[12.0])
    ]
    end_seconds: Annotated[float, Meta(description="Where it ends.", examples=[20.0])]
    frames: (
        Annotated[
            int,
            Meta(
                description="Pictures in it; null where it is sound alone, was skipped or is only "
                "planned.",
                examples=[200],
            ),
        ]
        | None
    )
    method: (
        Annotated[
            Literal["copy", "encode"],
            Meta(
                title="ClipMethod",
                description="How it was made; null where it was skipped.",
                examples=["copy"],
            ),
        ]
        | None
    )
    start_timecode: (
        Annotated[
            str,
            Meta(
                description="Of its first picture; null where the media has none.",
                examples=["10:00:12:00"],
            ),
        ]
        | None
    )
    skipped: Annotated[
        bool,
        Meta(description='on_exists "skip": a file of that name was there.', examples=[False]),
    ]
    warnings: Warnings
    download_url: (
        Annotated[
            str,
            Meta(
                description="Path of the file on this server, with `download_urls`. Whoever has "
                "it saves the file for an hour, without a licence key; ranges are answered. Left "
                "out of a dry run.",
                examples=["/api/v1/exports/WzE3NjQwMzUyMDAsWyIvZm9vdGFnZS9leHBv…"],
            ),
        ]
        | None
    ) = None


class FailedClip(Struct, kw_only=True):
    """A clip that was not exported."""

    index: Annotated[int, Meta(ge=0, description="Its place in the request.", examples=[1])]
    media_path: ClientPath
    error: Annotated[str, Meta(description="Why.", examples=["The file does not exist."])]
    code: Annotated[ClipCode, Meta(description="The same for programs.", examples=["bad_range"])]


class ExportedClips(Struct, kw_only=True):
    """What became of the clips, in request order."""

    exported: Annotated[list[ExportedClip], Meta(description="Clips that are files now.")]
    failed: Annotated[
        list[FailedClip], Meta(description="Clips that are not; they stop no others.")
    ]


class ClipsOfTask(ExportedClips, kw_only=True):
    """What became of the clips of a task so far."""

    task_id: TaskId
    status: TaskState
