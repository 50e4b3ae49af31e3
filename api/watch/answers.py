"""Answers about watch folders, as types; see api.http.answers."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from api.http.answers import Count, HashStr, Message
from api.watch.bodies import HOURS, HowPolled, Sequences
from shared.domain import NotApplicable
from shared.watch.choices import FileGroup
from shared.watch.folders import Schedule
from shared.watch.live import WatchState

_Moment = Annotated[float, Meta(description="Unix seconds.", examples=[1764028800.0])]
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


class WatchFolderAnswer(Struct, kw_only=True, omit_defaults=True):
    """A watched folder."""

    id: Annotated[str, Meta(description="Id of the folder.", examples=["5f2b9c0e1d3a4b67"])]
    path: Annotated[
        str, Meta(description="As the client wrote it.", examples=["/footage/incoming"])
    ]
    cache_dir: Annotated[
        str, Meta(description="As the client wrote it.", examples=["/footage/.rushes"])
    ]
    enabled: Annotated[bool, Meta(description="Files are taken from it.")]
    recursive: Annotated[bool, Meta(description="Folders inside it too.")]
    analyze_visual: Annotated[bool, Meta(description="Pictures are analysed.")]
    analyze_speech: Annotated[bool, Meta(description="Speech is transcribed.")]
    language: (
        Annotated[
            str,
            Meta(description="Lower-case English name; null: detect.", examples=["english"]),
        ]
        | None
    )
    analyze_faces: Annotated[bool, Meta(description="Faces are found.")]
    cluster_job_name: (
        Annotated[str, Meta(description="Collection of the faces.", examples=["Season 1"])] | None
    )
    excluded_extensions: Annotated[list[str], Meta(description="As the client wrote them.")]
    excluded_filename_globs: Annotated[list[str], Meta(description="As the client wrote them.")]
    polling: HowPolled
    settle_seconds: Annotated[float, Meta(description="Seconds without change before it is taken.")]
    schedule: Annotated[Schedule | None, HOURS]
    image_sequences: Sequences
    created_at: _Moment
    vocabulary: (
        Annotated[
            list[str],
            Meta(
                description="Names and rare words that may be said; left out where none were "
                "given, empty where the speech model gets none at all.",
                examples=[["Siobhan Gallagher", "Kestrelhaven"]],
            ),
        ]
        | UnsetType
    ) = UNSET
    speakers: (
        Annotated[
            bool,
            Meta(
                description="Who speaks is told apart; left out where the setting decides.",
                examples=[True],
            ),
        ]
        | UnsetType
    ) = UNSET


class WatchFolderList(Struct, kw_only=True):
    """Oldest first."""

    watch_folders: Annotated[list[WatchFolderAnswer], Meta(description="All watched folders.")]


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
    files: Annotated[int, Meta(ge=0, description="Failed files that get new tries.", examples=[3])]


class WatchFailure(Struct, kw_only=True):
    """A file that failed and is not tried again by itself, unless it changes."""

    path: _FilePath
    error: Annotated[str, Meta(description="Why.", examples=["The file is cut off."])]
    tries: Annotated[int, Meta(ge=0, description="Times that it was tried.", examples=[3])]


class FolderStats(Struct, kw_only=True):
    """How a watched folder is."""

    state: Annotated[
        WatchState, Meta(description="As of the service, of this folder.", examples=["waiting"])
    ]
    reason: (
        Annotated[
            str,
            Meta(
                description="What holds it up; null where nothing does.",
                examples=["The folder cannot be reached."],
            ),
        ]
        | None
    )
    files_total: Annotated[
        int, Meta(ge=0, description="Media files and image sequences found in it.", examples=[130])
    ]
    files_pending: Annotated[
        int, Meta(ge=0, description="To be analysed, or just being analysed.", examples=[7])
    ]
    files_processed: Annotated[
        int, Meta(ge=0, description="Whose content is analysed.", examples=[120])
    ]
    files_failed: Annotated[
        int, Meta(ge=0, description="Given up after their tries.", examples=[1])
    ]
    files_skipped: Annotated[int, Meta(ge=0, description="Left out, with a reason.", examples=[1])]
    files_unsupported: Annotated[
        int, Meta(ge=0, description="In a format that cannot be read here.", examples=[1])
    ]
    last_scan_at: (
        Annotated[float, Meta(description="Unix seconds; null: not yet.", examples=[1764028800.0])]
        | None
    )
    is_polling: (
        Annotated[
            bool,
            Meta(
                description="The folder is looked at again and again, because the system tells "
                "nothing of new files in it; null: not known yet.",
                examples=[False],
            ),
        ]
        | None
    )
    failures: Annotated[
        list[WatchFailure],
        Meta(
            description="The first 100, by path; /files has all.",
            examples=[
                [{"path": "/footage/incoming/A002.mov", "error": "It is cut off.", "tries": 3}]
            ],
        ),
    ]
    files_not_applicable: (
        Annotated[
            int,
            Meta(
                ge=1,
                description="Of the processed: without a part of what is wanted. Absent: none.",
                examples=[2],
            ),
        ]
        | UnsetType
    ) = UNSET
    not_applicable: (
        Annotated[
            list[NotApplicable],
            Meta(
                description="The first 100 of these, by path.",
                examples=[[{"media_path": "/footage/b.mov", "reason": "It has no audio track."}]],
            ),
        ]
        | UnsetType
    ) = UNSET


class WatchStatus(Struct, kw_only=True):
    """What the watch service does."""

    state: _ServiceState
    current_folder: (
        Annotated[
            str,
            Meta(description="Of the file that is being analysed.", examples=["/footage/incoming"]),
        ]
        | None
    )
    current_file: (
        Annotated[
            str,
            Meta(
                description="The file that is being analysed; one of them where there are several.",
                examples=["/footage/incoming/A005.mov"],
            ),
        ]
        | None
    )
    files_pending: Annotated[
        int, Meta(ge=0, description="In all folders that are enabled.", examples=[7])
    ]
    files_processed_this_session: Annotated[
        int,
        Meta(
            ge=0,
            description="Since the service, or its active watcher, was started last.",
            examples=[120],
        ),
    ]
    last_error: (
        Annotated[
            str,
            Meta(
                description="What went wrong last; null: nothing.",
                examples=["The folder cannot be reached."],
            ),
        ]
        | None
    )
    paused_until: (
        Annotated[
            float,
            Meta(
                description="Unix seconds: when the foreground analysis is expected to end; null "
                "when that is not known, or nothing is paused.",
                examples=[1764028900.0],
            ),
        ]
        | None
    )
    folder_stats: Annotated[dict[str, FolderStats], Meta(description="By the folder's id.")]


class WatchedFileItem(Struct, kw_only=True):
    """A file of a watched folder."""

    path: _FilePath
    state: Annotated[FileGroup, Meta(description="What it is listed under.", examples=["failed"])]
    reason: (
        Annotated[
            str,
            Meta(
                description="Why it failed, is left out, or is not worked on yet; of a processed "
                "one: why a part of what is wanted does not apply. Null: nothing hinders.",
                examples=["The file is cut off."],
            ),
        ]
        | None
    )
    tries: Annotated[int, Meta(ge=0, description="That failed by a fault of its own.")]
    size: Annotated[int, Meta(ge=0, description="Bytes, as last seen.", examples=[48211230])]
    modified_at: _Moment
    hash_str: HashStr | None
    task_id: (
        Annotated[
            str,
            Meta(
                description="The task that has it, or analysed it; null: none.",
                examples=["8f14e45fceea167a5a36dedd4bea2543"],
            ),
        ]
        | None
    )


class WatchedFilePage(Struct, kw_only=True):
    """Files in the order of their paths."""

    files: Annotated[list[WatchedFileItem], Meta(description="At most `limit`.")]
    total: Count
    next: (
        Annotated[
            str,
            Meta(
                description="Send it as `after` for the next page; null: this is the last.",
                examples=["L2Zvb3RhZ2UvaW5jb21pbmcvQTAwMi5tb3Y"],
            ),
        ]
        | None
    )
