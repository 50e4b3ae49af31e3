"""What is answered about media files."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from api.http.answers import (
    ClientPath,
    HashStr,
    Jpeg,
    MatchPlace,
    ModelKey,
    Problem,
    Timestamp,
)
from shared.media import MediaType
from shared.media_facts import AudioStream, Color, StartTimecode, VideoStream


class MediaItem(Struct, kw_only=True):
    """One file. What cannot be known is null; `error` says why."""

    media_path: ClientPath
    hash_str: HashStr | None = None
    exists: Annotated[bool, Meta(examples=[True])] = False
    """The file is there."""
    media_type: Annotated[MediaType, Meta(examples=["video"])] | None = None
    """Null: none of them."""
    duration_seconds: Annotated[float, Meta(examples=[12.5])] | None = None
    """Length."""
    fps: Annotated[float, Meta(examples=[23.976])] | None = None
    """Frames per second."""
    fps_rational: Annotated[str, Meta(examples=["24000/1001"])] | None = None
    """The same, exactly."""
    rate: Rate | None = None
    """The same, as a fraction."""
    is_vfr: Annotated[bool, Meta(examples=[False])] | None = None
    """The pictures do not come evenly; `fps` is the rate that they are built on."""
    frame_count: Annotated[int, Meta(examples=[300])] | None = None
    """Frames that are shown."""
    duration_frames_estimated: bool = False
    """`frame_count` is neither stated nor counted, but length times rate."""
    width: Annotated[int, Meta(examples=[1920])] | None = None
    """Pixels, as stored."""
    height: Annotated[int, Meta(examples=[1080])] | None = None
    """Pixels, as stored."""
    display_width: Annotated[int, Meta(examples=[1920])] | None = None
    """Upright, with square pixels."""
    display_height: Annotated[int, Meta(examples=[1080])] | None = None
    """Upright, with square pixels."""
    rotation: Annotated[int, Meta(examples=[0])] | None = None
    """Clockwise degrees to apply."""
    scan: Annotated[str, Meta(examples=["progressive"])] | None = None
    """progressive, top_first or bottom_first (the field shown first), or interlaced where the order
    is not known."""
    color: Color | None = None
    """Of the picture."""
    pixel_aspect: Annotated[str, Meta(examples=["1/1"])] | None = None
    """Width to height of a pixel."""
    video_codec: Annotated[str, Meta(examples=["h264"])] | None = None
    """Name of the codec."""
    audio_codec: Annotated[str, Meta(examples=["pcm_s24le"])] | None = None
    """Name of the codec."""
    has_audio: Annotated[bool, Meta(examples=[True])] = False
    """There is a sound track."""
    audio_channels: Annotated[int, Meta(examples=[2])] | None = None
    """Channels of the first track."""
    start_timecode: Annotated[str, Meta(examples=["10:00:00:00"])] | None = None
    """HH:MM:SS:FF, or HH:MM:SS;FF for drop-frame."""
    timecode: StartTimecode | None = None
    """The same, with what it counts; null where nothing tells that."""
    time_reference: Annotated[int, Meta(examples=[1_727_907_000])] | None = None
    """Of broadcast wave: samples since midnight at the first one."""
    video_streams: tuple[VideoStream, ...] = ()
    """The shown one first; no cover pictures."""
    audio_streams: tuple[AudioStream, ...] = ()
    """In the order of the file."""
    reel: Annotated[str, Meta(examples=["A001"])] | None = None
    """As stored."""
    camera: Annotated[str, Meta(examples=["Sony FX6"])] | None = None
    """Make and model."""
    created_at: Annotated[str, Meta(examples=["2026-11-25T09:30:00Z"])] | None = None
    """ISO 8601, as the file says; without a zone where it states none."""
    container: Annotated[str, Meta(examples=["mov"])] | None = None
    """Its format."""
    bit_rate: Annotated[int, Meta(examples=[12_200_000])] | None = None
    """Bits a second, of all."""
    warnings: Annotated[
        tuple[str, ...], Meta(examples=[["The pictures do not come evenly (VFR)."]])
    ] = ()
    """What to know before it is cut."""
    file_size: Annotated[int, Meta(examples=[18_874_368])] | None = None
    """Bytes."""
    modified_at: Annotated[float, Meta(examples=[1764028800.0])] | None = None
    """Unix seconds."""
    analysis: AnalysisState | None = None
    """Null without cache_dir."""
    possibly_modified: bool = False
    """Same hash and size as when it was analysed, but another modification time: its analysis is
    checked again before it is used."""
    error: Problem = None


class Metadata(Struct, kw_only=True, omit_defaults=True):
    """In request order."""

    media: list[MediaItem]
    """One item per path."""
    details: Annotated[list[MediaDetails | None], Meta(examples=[[None]])] | None = None
    """With `details`: one per path, null for what is not known there."""


class MadeResult(Struct, kw_only=True):
    """Something that was made of a file."""

    kind: Annotated[
        Literal["frames", "visual", "transcript", "speakers", "captions", "faces"],
        Meta(title="ResultKind", examples=["visual"]),
    ]
    """frames: thumbnails and scenes; visual: embeddings."""
    model_key: Annotated[ModelKey | None, Meta(examples=["conse-lite0"])]
    """Null: none was needed."""
    count: Annotated[int, Meta(ge=0, examples=[600])]
    """Grid frames, segments or faces in it."""
    made_at: Annotated[float, Meta(examples=[1764150000])]
    """Unix seconds."""
    warnings: Annotated[
        tuple[str, ...], Meta(examples=[["The file is damaged after 12 s of sound."]])
    ] = ()
    """What was wrong with the file."""


class SceneSpan(Struct, kw_only=True):
    """A scene, from its first second to before its end."""

    start_seconds: Annotated[int, Meta(ge=0, examples=[62])]
    """Its first second."""
    end_seconds: Annotated[int, Meta(ge=0, examples=[71])]
    """The second after it."""


class PersonInFile(Struct, kw_only=True):
    """A cluster of faces that is to be seen in a file."""

    cluster_job_name: Annotated[str, Meta(examples=["Season 1"])]
    """The collection."""
    cluster_id: Annotated[str, Meta(examples=["2123020638"])]
    """The cluster."""
    name: Annotated[str | None, Meta(examples=["Ada"])]
    """Null: without one."""
    seconds: Annotated[int, Meta(ge=1, examples=[42])]
    """On how many seconds a face is seen."""
    first_timestamp: Timestamp


class SpokenSummary(Struct, kw_only=True):
    """What is said in a file, in short; /transcriptions has all of it."""

    model_key: Annotated[ModelKey, Meta(examples=["whisper-base"])]
    language: Annotated[str | None, Meta(examples=["english"])]
    """Lower-case English name."""
    segments: Annotated[int, Meta(ge=0, examples=[120])]
    """How many."""
    speech_seconds: Annotated[float, Meta(ge=0, examples=[340.5])]
    """In which somebody speaks."""
    begin: Annotated[str, Meta(examples=["And Mr. John Dashwood had then …"])]
    """The first words."""
    doubts: Annotated[int, Meta(ge=0, examples=[2])]
    """Spans whose first text was refused."""
    vocabulary_used: (
        Annotated[list[str], Meta(examples=[["Siobhan Gallagher", "Kestrelhaven"]])] | UnsetType
    ) = UNSET
    """Names and words that the speech model was given; empty: none. Left out of transcripts by
    versions that did not record it and added names of folders."""


class MediaDetails(Struct, kw_only=True):
    """All that a cache folder knows of a file."""

    places: list[MatchPlace]
    """Where its content was seen: those that open first."""
    results: list[MadeResult]
    """What was made of it, by kind and model."""
    scenes: list[SceneSpan]
    """In order."""
    people: list[PersonInFile]
    """Of all collections; who is seen longest first."""
    transcript: SpokenSummary | None = None
    """The active speech model's, else the newest; null: none."""


class AnalysisState(Struct, kw_only=True):
    """What the cache folder holds about a file."""

    visual: Annotated[list[str], Meta(examples=[["conse-lite0"]])]
    """Keys of the models that analysed it."""
    transcribed: Annotated[bool, Meta(examples=[True])]
    """Its speech is transcribed."""
    face_jobs: Annotated[list[str], Meta(examples=[["Season 1"]])]
    """Collections its faces are in."""


class Thumbnail(Struct, kw_only=True, omit_defaults=True):
    """A frame, or null where none can be had; then `error` says why."""

    thumbnail: Jpeg | None
    error: Problem = None


class Thumbnails(Struct, kw_only=True):
    """In request order."""

    thumbnails: list[Thumbnail]
    """One slot per request."""


class SceneThumbnails(Struct, kw_only=True):
    """A pair of picture and timestamp per grid second; null where the file gives none."""

    scene_thumbnails: (
        Annotated[list[tuple[Jpeg, Timestamp]], Meta(examples=[[["/9j/4AAQSkZJRg==", "00:00:12"]]])]
        | None
    )
    """Pairs of picture and HH:MM:SS."""


class CachePlace(Struct, kw_only=True):
    """Where something lies, or would lie."""

    path: Annotated[str, Meta(examples=["/footage/.rushes/media/9a"])]
    """In the form of the given cache_dir."""
    exists: bool
    """Something is published there."""


class ModelCachePlace(CachePlace, kw_only=True):
    """Where a model's result lies, or would lie."""

    model_key: ModelKey | None


class CachePathsItem(Struct, kw_only=True):
    """The places of one file's data."""

    media_path: ClientPath
    hash_str: HashStr | None = None
    visual: ModelCachePlace | None = None
    """Embeddings."""
    transcription: ModelCachePlace | None = None
    """Transcript."""
    frames: CachePlace | None = None
    """Thumbnails."""
    faces: CachePlace | None = None
    """Faces."""
    error: Problem = None


class CachePaths(Struct, kw_only=True):
    """In request order."""

    cache_paths: list[CachePathsItem]
    """One item per path."""


class Rate(Struct, frozen=True, kw_only=True):
    """Frames a second as a fraction."""

    num: Annotated[int, Meta(examples=[24000])]
    """Numerator."""
    den: Annotated[int, Meta(examples=[1001])]
    """Denominator."""


_HOUR = "Path on this server, signed: it holds for an hour, without a licence key."


class OriginalStream(Struct, frozen=True, kw_only=True):
    """The file itself."""

    url: Annotated[
        str,
        Meta(
            description=f"{_HOUR} Answers ranges.",
            examples=["/api/v1/media/original/WzE3NjQzNDk2MDAs…"],
        ),
    ]
    type: Annotated[str, Meta(examples=['video/mp4; codecs="avc1.64002A, mp4a.40.2"'])]
    """MIME type with codecs, for `canPlayType`; application/octet-stream where no browser plays
    it."""


class PreviewStream(Struct, frozen=True, kw_only=True):
    """The file in pieces that any browser plays, made when they are asked for."""

    url: Annotated[
        str,
        Meta(
            description=f"{_HOUR} `/N` behind it is piece N, from 0 on: a whole fragmented MP4, "
            "whose times begin at 0. For MediaSource with `timestampOffset = N * segment_seconds`.",
            examples=["/api/v1/media/preview/WzE3NjQzNDk2MDAs…"],
        ),
    ]
    type: Annotated[str, Meta(examples=['video/mp4; codecs="avc1.640028, mp4a.40.2"'])]
    """MIME type with codecs, for `addSourceBuffer`."""
    segment_seconds: Annotated[int, Meta(examples=[4])]
    """Length of a piece."""
    segments: Annotated[int, Meta(examples=[4])]
    """How many there are."""


class Playback(Struct, kw_only=True):
    """How a file is played. Times count from its first picture, or its first sound."""

    media_path: ClientPath
    online: Annotated[bool, Meta(examples=[True])]
    """The file is there. If not, only stored pictures can be shown."""
    kind: Annotated[
        Literal["video", "audio", "still"], Meta(title="PlaybackKind", examples=["video"])
    ]
    """What there is to see or hear."""
    duration_seconds: Annotated[float, Meta(examples=[12.5])] | None = None
    """Length."""
    rate: Rate | None = None
    """Frames a second."""
    width: Annotated[int, Meta(examples=[1920])] | None = None
    """Upright, with square pixels."""
    height: Annotated[int, Meta(examples=[1080])] | None = None
    """Upright, with square pixels."""
    original: OriginalStream | None = None
    """Null: the file is not there."""
    preview: PreviewStream | None = None
    """Null: the file is a still, is not there, or does not tell its length."""
    frames_url: (
        Annotated[
            str,
            Meta(
                description=f"{_HOUR} `?second=N` is the stored picture of second N. Null: none "
                "are stored, or no cache_dir was named.",
                examples=["/api/v1/frames/WzE3NjQzNDk2MDAs…"],
            ),
        ]
        | None
    ) = None
    hash_str: HashStr | None = None
