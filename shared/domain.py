"""The words of design and contract as typed values. Imports nothing of ours but media types.

Structs here travel through Redis and lie in manifests, always as JSON by msgspec.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shared.media import MediaType
from shared.media_facts import AudioStream, Color, StartTimecode, VideoStream

AudioStreams = Literal["mix", "first", "each"]


class TaskKind(StrEnum):
    """What a Task does."""

    ANALYZE = "analyze"  # foreground: holds the lock
    INGEST = "ingest"  # from a watch folder: yields to the lock
    RECLUSTER = "recluster"
    EXPORT = "export"


class TaskState(StrEnum):
    """What clients see as `status`."""

    QUEUED = "queued"
    LOADING_MODEL = "loading_model"
    RUNNING = "running"
    STOPPING = "stopping"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        return self in (TaskState.COMPLETED, TaskState.CANCELLED, TaskState.FAILED)


class ModelKind(StrEnum):
    """What a model is for."""

    VISUAL = "visual"
    SPEECH = "speech"
    FACES = "faces"


class ProgressType(StrEnum):
    """`type` in progress payloads; "video" is the visual part (fixed by the contract)."""

    VIDEO = "video"
    AUDIO = "audio"
    FACES = "faces"
    RECLUSTER = "recluster"
    EXPORT = "export"


class Stage(StrEnum):
    """Stages that publish artefacts, one manifest each."""

    FRAMES = "frames"
    VISUAL = "visual"
    TRANSCRIPT = "transcript"
    SPEAKERS = "speakers"  # of the transcript of the same model
    CAPTIONS = "captions"  # subtitles and captions that are in the file
    FACES = "faces"


class Fault(StrEnum):
    """What a failure is a fault of; only FILE and UNSUPPORTED are the file's own."""

    FILE = "file"
    UNSUPPORTED = "unsupported"  # a format that no decoder here knows
    NOTHING = "nothing"  # no failure: what was asked for is not in it, as it has no audio track
    CHANGING = "changing"  # it was still being written
    MISSING = "missing"
    CACHE = "cache"
    MODEL = "model"
    WORKER = "worker"  # it died, again and again
    INTERNAL = "internal"


class FileSpec(msgspec.Struct, frozen=True):
    """One file of an AnalyzeSpec. `path` is the server's form, `client_path` the client's."""

    path: str
    client_path: str
    media_type: MediaType
    wants: tuple[ProgressType, ...] = (ProgressType.VIDEO,)
    language: str | None = None  # of its speech, as a code of shared.models.languages; None: detect
    refused: str = ""  # why its path can be used by none: it fails with that


class AnalyzeSpec(msgspec.Struct, frozen=True):
    """Spec of an Item of an analyze Task: one video or audio file, or up to 64 stills.

    A model is named when a file wants what it does; `audio_streams` is an AudioStreams.
    """

    cache_dir: str
    files: tuple[FileSpec, ...]
    visual_model: str = ""
    speech_model: str = ""
    face_model: str = ""
    collection: str = ""  # receives the faces of the Task; every Item of it may be the last
    face_eps: float | None = None  # None: the Collection's own, else the default
    face_min_samples: int | None = None
    audio_streams: str = "mix"
    cache_id: str = ""  # of the CacheDir that is meant; "": whatever lies there, or a new one
    force: bool = False
    first_second: int = 0
    last_second: int | None = None
    roots: tuple[str, ...] | None = None  # in which its paths must lie, of the licence key
    vocabulary: tuple[str, ...] = ()  # words that may be said, the most relevant first
    uses_vocabulary: bool = True  # False: the speech model gets no words, and no names of people
    # The Collection that receives the voices, and whose people may be named; "": none receives
    # them, and every one's people may.
    people_of: str = ""
    speakers: bool | None = None  # tell them apart; None: as the worker is set


class ReclusterSpec(msgspec.Struct, frozen=True):
    """Spec of the one Item of a recluster Task: group all faces of a Collection anew."""

    cache_dir: str
    collection: str
    eps: float
    min_samples: int
    auto_detect: bool = False  # eps and min_samples are derived from the faces instead
    clear_names: bool = False


class FailedFile(msgspec.Struct, frozen=True):
    """A file that failed, and why."""

    media_path: Annotated[str, Meta(examples=["/footage/day1/A002.mov"])]
    """In the client's form."""
    error: Annotated[str, Meta(examples=["The file does not exist."])]
    """Why."""


class NotApplicable(msgspec.Struct, frozen=True):
    """A file that has nothing of what was asked for, which is no failure."""

    media_path: Annotated[str, Meta(examples=["/footage/day1/A003.mov"])]
    """In the client's form."""
    reason: Annotated[str, Meta(examples=["It has no audio track."])]
    """Why."""


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What a container says about itself. Sizes are of the stored picture, before rotation."""

    media_type: MediaType
    duration_seconds: float | None = None
    fps: float | None = None
    fps_rational: str | None = None
    frame_count: int | None = None
    width: int | None = None
    height: int | None = None
    rotation: int | None = None  # clockwise degrees to apply for an upright picture
    pixel_aspect: str | None = None  # "1:1"-like, e.g. "64/45"
    video_codec: str | None = None
    audio_codec: str | None = None
    has_audio: bool = False
    audio_channels: int | None = None
    start_timecode: str | None = None
    container: str | None = None
    is_vfr: bool | None = None
    frame_count_is_estimated: bool = False
    timecode: StartTimecode | None = None
    display_width: int | None = None  # upright, with square pixels
    display_height: int | None = None
    scan: str | None = None  # "progressive", "top_first", "bottom_first" or "interlaced"
    color: Color | None = None
    video_streams: tuple[VideoStream, ...] = ()
    audio_streams: tuple[AudioStream, ...] = ()
    reel: str | None = None
    camera: str | None = None
    created_at: str | None = None  # ISO 8601, as the file says
    bit_rate: int | None = None
    time_reference: int | None = None  # of broadcast wave: samples since midnight
    warnings: tuple[str, ...] = ()


SCENES_BY = 1  # how scenes are found; raised where other ones are found by it


class Scene(msgspec.Struct, frozen=True, array_like=True):
    """Half-open interval [start, end) on the grid, in seconds."""

    start: int
    end: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The small file that makes an artefact visible; renamed into place last.

    `file`, and the pack of that name where `pack_bytes` is set, lie in the same folder. `rows`
    counts grid frames (or faces, segments). Row i of a frames or visual artefact is grid second
    `first_frame + i`, unless `seconds` lists them (files with gaps: seconds without a picture have
    no row).
    """

    stage: Stage
    model: str  # "" where no model is involved
    file: str
    bytes: int
    rows: int
    first_frame: int = 0
    seconds: Annotated[tuple[int, ...], Meta(max_length=1_000_000)] | None = None
    scenes: Annotated[tuple[Scene, ...], Meta(max_length=600_000)] = ()  # one a second of 6 days
    scenes_by: int = 0  # SCENES_BY of who found them
    probe: Probe | None = None
    dim: int | None = None
    language: str | None = None  # of a transcript, as a code of shared.models.languages
    audio_streams: str | None = None  # of a transcript
    pack_bytes: int | None = None  # of the pack beside the data, of faces and transcripts
    # Of a transcript: whose rows of its segments are in the pack. UNSET: from before there were.
    sentence_model: str | UnsetType = UNSET
    # Of a transcript: what the speech model was given. UNSET: by a version that did not record it.
    vocabulary: Annotated[tuple[str, ...], Meta(max_length=1000)] | UnsetType = UNSET
    task_id: str = ""
    worker: str = ""
    made_at: float = 0.0  # Unix seconds
    warnings: Annotated[tuple[str, ...], Meta(max_length=1000)] = ()

    @property
    def pack(self) -> str | None:
        """Name of the pack that belongs to the data, where there is one."""
        return None if self.pack_bytes is None else pack_of(self.file)


def pack_of(file: str) -> str:
    """Name of the pack beside a data file: pictures of faces, rows of segments."""
    return f"{file.rpartition('.')[0]}.pack"
