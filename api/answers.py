"""Answers of the API, as types: what handlers return and what the OpenAPI document describes."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from shared.domain import FailedFile, ProgressType, TaskKind, TaskState
from shared.media import MediaType
from shared.task_records import FileRecord

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


class Health(Struct):
    """The server answers."""

    status: Literal["ok"] = "ok"


class Readiness(Struct, kw_only=True):
    """Requests can be accepted. Workers may sleep: tasks wait for them."""

    ready: bool
    workers: Annotated[dict[str, int], Meta(description="Live workers by kind.")]
    loading: Annotated[bool, Meta(description="A worker is still loading its model.")]


class LoadedModel(Struct, kw_only=True):
    """The model of one kind that answers requests now."""

    model_key: str | None
    is_loading: bool


class LoadedModels(Struct, kw_only=True):
    """What is loaded."""

    visual: LoadedModel
    speech: LoadedModel
    faces: LoadedModel


class AvailableModel(Struct, kw_only=True):
    """A model that this server can run."""

    model_key: str
    display_name: str
    is_downloaded: Annotated[bool, Meta(description="Its weights are on this machine.")]
    is_active: Annotated[bool, Meta(description="New requests use it.")]
    size_bytes: int | None
    licence: str
    commercial_use: Annotated[
        bool | None, Meta(description="Whether the licence allows it; null: unknown.")
    ]
    source: Annotated[str, Meta(description="Where the weights come from.")]
    limits: Annotated[str, Meta(description="What the model cannot do.")]


class AvailableVisual(AvailableModel, kw_only=True):
    """A visual model."""

    resolution: Annotated[int | None, Meta(description="Side of its input, pixels.")]
    embedding_dim: int | None
    multilingual: bool


class AvailableSpeech(AvailableModel, kw_only=True):
    """A speech model."""

    languages: list[str]


class AvailableModels(Struct, kw_only=True):
    """Every model, by kind."""

    visual: list[AvailableVisual]
    speech: list[AvailableSpeech]
    faces: list[AvailableModel]


class ModelLoadAnswer(Struct, kw_only=True):
    """The model is loaded, or loading."""

    message: str
    model_key: str
    is_loading: bool


class AnalysisState(Struct, kw_only=True):
    """What the cache folder holds about a file."""

    visual: Annotated[list[str], Meta(description="Keys of the models that analysed it.")]
    transcribed: bool
    face_jobs: Annotated[list[str], Meta(description="Collections its faces are in.")]


class MediaItem(Struct, kw_only=True):
    """One file. What cannot be known is null; `error` says why."""

    media_path: str
    hash_str: HashStr | None = None
    exists: bool = False
    media_type: MediaType | None = None
    duration_seconds: float | None = None
    fps: float | None = None
    fps_rational: Annotated[str, Meta(examples=["24000/1001"])] | None = None
    frame_count: int | None = None
    width: int | None = None
    height: int | None = None
    rotation: Annotated[int, Meta(description="Clockwise degrees.")] | None = None
    pixel_aspect: Annotated[str, Meta(examples=["1:1"])] | None = None
    video_codec: str | None = None
    audio_codec: str | None = None
    has_audio: bool = False
    audio_channels: int | None = None
    start_timecode: (
        Annotated[str, Meta(description="HH:MM:SS:FF, or HH:MM:SS;FF for drop-frame.")] | None
    ) = None
    file_size: Annotated[int, Meta(description="Bytes.")] | None = None
    modified_at: Annotated[float, Meta(description="Unix seconds.")] | None = None
    analysis: AnalysisState | None = None
    possibly_modified: Annotated[
        bool,
        Meta(
            description="Same hash and size as when it was analysed, but another modification "
            "time: its analysis is checked again before it is used."
        ),
    ] = False
    error: str | None = None


class Metadata(Struct, kw_only=True):
    """In request order."""

    media: list[MediaItem]


class Accepted(Struct, kw_only=True):
    """Background work has begun, or waits for its turn."""

    message: str
    task_id: TaskId


class CancelAnswer(Struct, kw_only=True):
    """Whether something was asked to stop."""

    message: str
    cancelled: bool
    task_id: TaskId | None


class TaskProgress(Struct, kw_only=True):
    """Last progress state of a task; the same fields as the Socket.IO event `progress`."""

    task_id: TaskId
    type: Annotated[ProgressType, Meta(description='"video" is the visual part.')]
    status: TaskState
    progress: Annotated[float, Meta(description="0 to 100 for the type.", examples=[42.5])]
    overall_progress: Annotated[float, Meta(description="0 to 100 for the whole task.")]
    current: Annotated[int, Meta(description="Files that have ended.")]
    total: Annotated[int, Meta(description="Files.")]
    media_path: str | None
    message: str
    eta_seconds: float | None
    failed_files: Annotated[
        list[FailedFile], Meta(description="Files that failed, once the task has ended.")
    ]
    error: str | None
    superseded_by: Annotated[str | None, Meta(description="The task that replaced this one.")]


class TaskAnswer(TaskProgress, kw_only=True):
    """A task."""

    kind: TaskKind
    created_at: Annotated[float, Meta(description="Unix seconds.")]
    finished_at: Annotated[float | None, Meta(description="Unix seconds.")]
    files: Annotated[list[FileRecord] | None, Meta(description="Only with ?files=true.")] = None


class TaskList(Struct, kw_only=True):
    """Newest first."""

    tasks: list[TaskAnswer]


class Skipped(Struct, kw_only=True):
    """Data that cannot be loaded."""

    hash_str: HashStr
    reason: str


class LoadAnswer(Struct, kw_only=True):
    """What is loaded now."""

    message: str
    visual_files: int
    transcription_files: int
    frames: int
    skipped: list[Skipped]


class LoadForMediaAnswer(LoadAnswer, kw_only=True):
    """What is loaded now, and which of the files have no data."""

    missing: list[str]


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

    matches: list[Match]


class Thumbnail(Struct, kw_only=True, omit_defaults=True):
    """A frame, or null where none can be had; then `error` says why."""

    thumbnail: Jpeg | None
    error: str | None = None


class Thumbnails(Struct, kw_only=True):
    """In request order."""

    thumbnails: list[Thumbnail]


class SceneThumbnails(Struct, kw_only=True):
    """One pair of picture and timestamp per grid second; null where the file gives none."""

    scene_thumbnails: list[tuple[Jpeg, Timestamp]] | None


class CachePlace(Struct, kw_only=True):
    """Where something lies, or would lie."""

    path: str
    exists: bool


class ModelCachePlace(CachePlace, kw_only=True):
    """Where a model's result lies, or would lie."""

    model_key: str | None


class CachePathsItem(Struct, kw_only=True):
    """The places of one file's data."""

    media_path: str
    hash_str: HashStr | None = None
    visual: ModelCachePlace | None = None
    transcription: ModelCachePlace | None = None
    frames: CachePlace | None = None
    faces: CachePlace | None = None
    error: str | None = None


class CachePaths(Struct, kw_only=True):
    """In request order."""

    cache_paths: list[CachePathsItem]
