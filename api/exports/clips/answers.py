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

    index: Annotated[int, Meta(ge=0, examples=[0])]
    """Its place in the request."""
    output_path: Annotated[
        str, Meta(examples=["/footage/exports/A001_10-00-12-00_10-00-20-00.mov"])
    ]
    """The new file, in the client's form."""
    media_path: ClientPath
    start_seconds: Annotated[float, Meta(examples=[12.0])]
    """Where it begins in the media, handles included."""
    end_seconds: Annotated[float, Meta(examples=[20.0])]
    """Where it ends."""
    frames: Annotated[int, Meta(examples=[200])] | None
    """Pictures in it; null where it is sound alone, was skipped or is only planned."""
    method: Annotated[Literal["copy", "encode"], Meta(title="ClipMethod", examples=["copy"])] | None
    """How it was made; null where it was skipped."""
    start_timecode: Annotated[str, Meta(examples=["10:00:12:00"])] | None
    """Of its first picture; null where the media has none."""
    skipped: Annotated[bool, Meta(examples=[False])]
    """on_exists "skip": a file of that name was there."""
    warnings: Warnings
    download_url: (
        Annotated[str, Meta(examples=["/api/v1/exports/WzE3NjQwMzUyMDAsWyIvZm9vdGFnZS9leHBv…"])]
        | None
    ) = None
    """Path of the file on this server, with `download_urls`. Whoever has it saves the file for an
    hour, without a licence key; ranges are answered. Left out of a dry run."""


class FailedClip(Struct, kw_only=True):
    """A clip that was not exported."""

    index: Annotated[int, Meta(ge=0, examples=[1])]
    """Its place in the request."""
    media_path: ClientPath
    error: Annotated[str, Meta(examples=["The file does not exist."])]
    """Why."""
    code: Annotated[ClipCode, Meta(examples=["bad_range"])]
    """The same for programs."""


class ExportedClips(Struct, kw_only=True):
    """What became of the clips, in request order."""

    exported: list[ExportedClip]
    """Clips that are files now."""
    failed: list[FailedClip]
    """Clips that are not; they stop no others."""


class ClipsOfTask(ExportedClips, kw_only=True):
    """What became of the clips of a task so far."""

    task_id: TaskId
    status: TaskState
