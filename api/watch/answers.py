"""Answers about watch folders, as types; see api.http.answers."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from api.http.answers import Count, HashStr, Message, Moment
from api.watch.bodies import HOURS
from api.watch.copied_fields import with_fields_of
from shared.domain import NotApplicable
from shared.watch.folders import Schedule
from shared.watch.live import WatchState
from shared.watch.options import FileGroup, WatchOptions

_ServiceState = Annotated[
    WatchState,
    Meta(
        description="`running`: a file is being processed. `waiting`: there is nothing to do, or a "
        "folder cannot be reached for now, or no watcher runs (see `last_error`). `paused`: a "
        "foreground analysis has precedence. `stopping`: what was begun winds down. `stopped`.",
        examples=["running"],
    ),
]
_FilePath = Annotated[
    str,
    Meta(
        description="In the client's form; of an image sequence the pattern of its names.",
        examples=["/footage/incoming/A002.mov"],
    ),
]


@with_fields_of(WatchOptions)
class WatchFolderAnswer(Struct, kw_only=True):
    """A watched folder."""

    id: Annotated[str, Meta(examples=["5f2b9c0e1d3a4b67"])]
    """Id of the folder."""
    path: Annotated[str, Meta(examples=["/footage/incoming"])]
    """As the client wrote it."""
    cache_dir: Annotated[str, Meta(examples=["/footage/.rushes"])]
    """As the client wrote it."""
    language: Annotated[str, Meta(examples=["english"])] | None
    """Lower-case English name; null: detect."""
    cluster_job_name: Annotated[str, Meta(examples=["Season 1"])] | None
    """Collection of the faces."""
    excluded_extensions: Annotated[list[str], Meta(examples=[[".wav"]])]
    """As the client wrote them."""
    excluded_filename_globs: Annotated[list[str], Meta(examples=[["proxy_*"]])]
    """As the client wrote them."""
    settle_seconds: Annotated[float, Meta(examples=[5.0])]
    """Seconds without change before it is taken."""
    schedule: Annotated[Schedule | None, HOURS]
    created_at: Moment
    vocabulary: (
        Annotated[list[str], Meta(examples=[["Siobhan Gallagher", "Kestrelhaven"]])] | UnsetType
    ) = UNSET
    """Names and rare words that may be said; left out where none were given, empty where the speech
    model gets none at all."""
    speakers: Annotated[bool, Meta(examples=[True])] | UnsetType = UNSET
    """Who speaks is told apart; left out where the setting decides."""


class WatchFolderList(Struct, kw_only=True):
    """Oldest first."""

    watch_folders: list[WatchFolderAnswer]
    """All watched folders."""


class UnwatchAnswer(Struct, kw_only=True):
    """The folder is watched no more."""

    message: Message


class ServiceAnswer(Struct, kw_only=True):
    """What was asked of the service, and how it is now."""

    message: Message
    state: _ServiceState


class RetryAnswer(Struct, kw_only=True):
    """New tries."""

    message: Message
    files: Annotated[int, Meta(ge=0, examples=[3])]
    """Failed files that get new tries."""


class WatchFailure(Struct, kw_only=True):
    """A file that failed and is not tried again by itself, unless it changes."""

    path: _FilePath
    error: Annotated[str, Meta(examples=["The file is cut off."])]
    """Why."""
    tries: Annotated[int, Meta(ge=0, examples=[3])]
    """Times that it was tried."""


class FolderStats(Struct, kw_only=True):
    """How a watched folder is."""

    state: Annotated[WatchState, Meta(examples=["waiting"])]
    """As of the service, of this folder."""
    reason: Annotated[str, Meta(examples=["The folder cannot be reached."])] | None
    """What holds it up; null where nothing does."""
    files_total: Annotated[int, Meta(ge=0, examples=[130])]
    """Media files and image sequences found in it."""
    files_pending: Annotated[int, Meta(ge=0, examples=[7])]
    """To be analysed, or just being analysed."""
    files_processed: Annotated[int, Meta(ge=0, examples=[120])]
    """Whose content is analysed."""
    files_failed: Annotated[int, Meta(ge=0, examples=[1])]
    """Given up after their tries."""
    files_skipped: Annotated[int, Meta(ge=0, examples=[1])]
    """Left out, with a reason."""
    files_unsupported: Annotated[int, Meta(ge=0, examples=[1])]
    """In a format that cannot be read here."""
    last_scan_at: Annotated[float, Meta(examples=[1764028800.0])] | None
    """Unix seconds; null: not yet."""
    is_polling: Annotated[bool, Meta(examples=[False])] | None
    """The folder is looked at again and again, because the system tells nothing of new files in it;
    null: not known yet."""
    failures: Annotated[
        list[WatchFailure],
        Meta(
            examples=[
                [{"path": "/footage/incoming/A002.mov", "error": "It is cut off.", "tries": 3}]
            ]
        ),
    ]
    """The first 100, by path; /files has all."""
    files_not_applicable: Annotated[int, Meta(ge=1, examples=[2])] | UnsetType = UNSET
    """Of the processed: without a part of what is wanted. Absent: none."""
    not_applicable: (
        Annotated[
            list[NotApplicable],
            Meta(examples=[[{"media_path": "/footage/b.mov", "reason": "It has no audio track."}]]),
        ]
        | UnsetType
    ) = UNSET
    """The first 100 of these, by path."""


class WatchStatus(Struct, kw_only=True):
    """What the watch service does."""

    state: _ServiceState
    current_folder: Annotated[str, Meta(examples=["/footage/incoming"])] | None
    """Of the file that is being analysed."""
    current_file: Annotated[str, Meta(examples=["/footage/incoming/A005.mov"])] | None
    """The file that is being analysed; one of them where there are several."""
    files_pending: Annotated[int, Meta(ge=0, examples=[7])]
    """In all folders that are enabled."""
    files_processed_this_session: Annotated[int, Meta(ge=0, examples=[120])]
    """Since the service, or its active watcher, was started last."""
    last_error: Annotated[str, Meta(examples=["The folder cannot be reached."])] | None
    """What went wrong last; null: nothing."""
    paused_until: Annotated[float, Meta(examples=[1764028900.0])] | None
    """Unix seconds: when the foreground analysis is expected to end; null when that is not known,
    or nothing is paused."""
    folder_stats: dict[str, FolderStats]
    """By the folder's id."""


class WatchedFileItem(Struct, kw_only=True):
    """A file of a watched folder."""

    path: _FilePath
    state: Annotated[FileGroup, Meta(examples=["failed"])]
    """What it is listed under."""
    reason: Annotated[str, Meta(examples=["The file is cut off."])] | None
    """Why it failed, is left out, or is not worked on yet; of a processed one: why a part of what
    is wanted does not apply. Null: nothing hinders."""
    tries: Annotated[int, Meta(ge=0)]
    """That failed by a fault of its own."""
    size: Annotated[int, Meta(ge=0, examples=[48211230])]
    """Bytes, as last seen."""
    modified_at: Moment
    hash_str: HashStr | None
    task_id: Annotated[str, Meta(examples=["8f14e45fceea167a5a36dedd4bea2543"])] | None
    """The task that has it, or analysed it; null: none."""


class WatchedFilePage(Struct, kw_only=True):
    """Files in the order of their paths."""

    files: list[WatchedFileItem]
    """At most `limit`."""
    total: Count
    next: Annotated[str, Meta(examples=["L2Zvb3RhZ2UvaW5jb21pbmcvQTAwMi5tb3Y"])] | None
    """Send it as `after` for the next page; null: this is the last."""
