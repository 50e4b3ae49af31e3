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
    exists: Annotated[bool, Meta(description="The file is there.")] = False
    media_type: Annotated[MediaType | None, Meta(description="Null: none of them.")] = None
    duration_seconds: Annotated[float, Meta(description="Length.")] | None = None
    fps: Annotated[float, Meta(description="Frames per second.")] | None = None
    fps_rational: (
        Annotated[str, Meta(description="The same, exactly.", examples=["24000/1001"])] | None
    ) = None
    rate: Annotated[Rate | None, Meta(description="The same, as a fraction.")] = None
    is_vfr: (
        Annotated[
            bool,
            Meta(
                description="The pictures do not come evenly; `fps` is the rate that they are "
                "built on.",
                examples=[False],
            ),
        ]
        | None
    ) = None
    frame_count: Annotated[int, Meta(description="Frames that are shown.")] | None = None
    duration_frames_estimated: Annotated[
        bool,
        Meta(description="`frame_count` is neither stated nor counted, but length times rate."),
    ] = False
    width: Annotated[int, Meta(description="Pixels, as stored.")] | None = None
    height: Annotated[int, Meta(description="Pixels, as stored.")] | None = None
    display_width: (
        Annotated[int, Meta(description="Upright, with square pixels.", examples=[1920])] | None
    ) = None
    display_height: (
        Annotated[int, Meta(description="Upright, with square pixels.", examples=[1080])] | None
    ) = None
    rotation: (
        Annotated[int, Meta(description="Clockwise degrees to apply.", examples=[90])] | None
    ) = None
    scan: (
        Annotated[
            str,
            Meta(
                description="progressive, top_first or bottom_first (the field shown first), or "
                "interlaced where the order is not known.",
                examples=["progressive"],
            ),
        ]
        | None
    ) = None
    color: Annotated[Color | None, Meta(description="Of the picture.")] = None
    pixel_aspect: (
        Annotated[str, Meta(description="Width to height of a pixel.", examples=["1/1"])] | None
    ) = None
    video_codec: Annotated[str, Meta(description="Name of the codec.")] | None = None
    audio_codec: Annotated[str, Meta(description="Name of the codec.")] | None = None
    has_audio: Annotated[bool, Meta(description="There is a sound track.")] = False
    audio_channels: Annotated[int, Meta(description="Channels of the first track.")] | None = None
    start_timecode: (
        Annotated[str, Meta(description="HH:MM:SS:FF, or HH:MM:SS;FF for drop-frame.")] | None
    ) = None
    timecode: Annotated[
        StartTimecode | None,
        Meta(description="The same, with what it counts; null where nothing tells that."),
    ] = None
    time_reference: (
        Annotated[
            int,
            Meta(
                description="Of broadcast wave: samples since midnight at the first one.",
                examples=[1_727_907_000],
            ),
        ]
        | None
    ) = None
    video_streams: Annotated[
        tuple[VideoStream, ...], Meta(description="The shown one first; no cover pictures.")
    ] = ()
    audio_streams: Annotated[
        tuple[AudioStream, ...], Meta(description="In the order of the file.")
    ] = ()
    reel: Annotated[str, Meta(description="As stored.", examples=["A001"])] | None = None
    camera: Annotated[str, Meta(description="Make and model.", examples=["Sony FX6"])] | None = None
    created_at: (
        Annotated[
            str,
            Meta(
                description="ISO 8601, as the file says; without a zone where it states none.",
                examples=["2026-11-25T09:30:00Z"],
            ),
        ]
        | None
    ) = None
    container: Annotated[str, Meta(description="Its format.", examples=["mov"])] | None = None
    bit_rate: (
        Annotated[int, Meta(description="Bits a second, of all.", examples=[12_200_000])] | None
    ) = None
    warnings: Annotated[
        tuple[str, ...],
        Meta(
            description="What to know before it is cut.",
            examples=[["The pictures do not come evenly (VFR)."]],
        ),
    ] = ()
    file_size: Annotated[int, Meta(description="Bytes.")] | None = None
    modified_at: Annotated[float, Meta(description="Unix seconds.")] | None = None
    analysis: Annotated[AnalysisState | None, Meta(description="Null without cache_dir.")] = None
    possibly_modified: Annotated[
        bool,
        Meta(
            description="Same hash and size as when it was analysed, but another modification "
            "time: its analysis is checked again before it is used."
        ),
    ] = False
    error: Problem = None


class Metadata(Struct, kw_only=True, omit_defaults=True):
    """In request order."""

    media: Annotated[list[MediaItem], Meta(description="One item per path.")]
    details: (
        Annotated[
            list[MediaDetails | None],
            Meta(
                description="With `details`: one per path, null for what is not known there.",
                examples=[[None]],
            ),
        ]
        | None
    ) = None


class MadeResult(Struct, kw_only=True):
    """Something that was made of a file."""

    kind: Annotated[
        Literal["frames", "visual", "transcript", "speakers", "captions", "faces"],
        Meta(
            title="ResultKind",
            description="frames: thumbnails and scenes; visual: embeddings.",
            examples=["visual"],
        ),
    ]
    model_key: Annotated[
        ModelKey | None, Meta(description="Null: none was needed.", examples=["conse-lite0"])
    ]
    count: Annotated[
        int, Meta(ge=0, description="Grid frames, segments or faces in it.", examples=[600])
    ]
    made_at: Annotated[float, Meta(description="Unix seconds.", examples=[1764150000])]
    warnings: Annotated[
        tuple[str, ...],
        Meta(
            description="What was wrong with the file.",
            examples=[["The file is damaged after 12 s of sound."]],
        ),
    ] = ()


class SceneSpan(Struct, kw_only=True):
    """A scene, from its first second to before its end."""

    start_seconds: Annotated[int, Meta(ge=0, description="Its first second.", examples=[62])]
    end_seconds: Annotated[int, Meta(ge=0, description="The second after it.", examples=[71])]


class PersonInFile(Struct, kw_only=True):
    """A cluster of faces that is to be seen in a file."""

    cluster_job_name: Annotated[str, Meta(description="The collection.", examples=["Season 1"])]
    cluster_id: Annotated[str, Meta(description="The cluster.", examples=["2123020638"])]
    name: Annotated[str | None, Meta(description="Null: without one.", examples=["Ada"])]
    seconds: Annotated[
        int, Meta(ge=1, description="On how many seconds a face is seen.", examples=[42])
    ]
    first_timestamp: Timestamp


class SpokenSummary(Struct, kw_only=True):
    """What is said in a file, in short; /transcriptions has all of it."""

    model_key: ModelKey
    language: Annotated[
        str | None, Meta(description="Lower-case English name.", examples=["english"])
    ]
    segments: Annotated[int, Meta(ge=0, description="How many.", examples=[120])]
    speech_seconds: Annotated[
        float, Meta(ge=0, description="In which somebody speaks.", examples=[340.5])
    ]
    begin: Annotated[
        str, Meta(description="The first words.", examples=["And Mr. John Dashwood had then …"])
    ]
    doubts: Annotated[
        int, Meta(ge=0, description="Spans whose first text was refused.", examples=[2])
    ]
    vocabulary_used: (
        Annotated[
            list[str],
            Meta(
                description="Names and words that the speech model was given; empty: none. Left "
                "out of transcripts by versions that did not record it and added names of folders.",
                examples=[["Siobhan Gallagher", "Kestrelhaven"]],
            ),
        ]
        | UnsetType
    ) = UNSET


class MediaDetails(Struct, kw_only=True):
    """All that a cache folder knows of a file."""

    places: Annotated[
        list[MatchPlace],
        Meta(
            description="Where its content was seen: those that open first.",
            examples=[[{"path": "/footage/day1/A001.mov", "online": True}]],
        ),
    ]
    results: Annotated[
        list[MadeResult],
        Meta(
            description="What was made of it, by kind and model.",
            examples=[
                [
                    {
                        "kind": "frames",
                        "model_key": None,
                        "count": 600,
                        "made_at": 1764150000,
                        "warnings": [],
                    }
                ]
            ],
        ),
    ]
    scenes: Annotated[
        list[SceneSpan],
        Meta(description="In order.", examples=[[{"start_seconds": 0, "end_seconds": 9}]]),
    ]
    people: Annotated[
        list[PersonInFile],
        Meta(
            description="Of all collections; who is seen longest first.",
            examples=[
                [
                    {
                        "cluster_job_name": "Season 1",
                        "cluster_id": "2123020638",
                        "name": "Ada",
                        "seconds": 42,
                        "first_timestamp": "00:00:07",
                    }
                ]
            ],
        ),
    ]
    transcript: Annotated[
        SpokenSummary | None,
        Meta(
            description="The active speech model's, else the newest; null: none.",
            examples=[
                {
                    "model_key": "whisper-base",
                    "language": "english",
                    "segments": 120,
                    "speech_seconds": 340.5,
                    "begin": "And Mr. John Dashwood had then …",
                    "doubts": 0,
                }
            ],
        ),
    ] = None


class AnalysisState(Struct, kw_only=True):
    """What the cache folder holds about a file."""

    visual: Annotated[list[str], Meta(description="Keys of the models that analysed it.")]
    transcribed: Annotated[bool, Meta(description="Its speech is transcribed.")]
    face_jobs: Annotated[list[str], Meta(description="Collections its faces are in.")]


class Thumbnail(Struct, kw_only=True, omit_defaults=True):
    """A frame, or null where none can be had; then `error` says why."""

    thumbnail: Jpeg | None
    error: Problem = None


class Thumbnails(Struct, kw_only=True):
    """In request order."""

    thumbnails: Annotated[list[Thumbnail], Meta(description="One slot per request.")]


class SceneThumbnails(Struct, kw_only=True):
    """A pair of picture and timestamp per grid second; null where the file gives none."""

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


class Rate(Struct, frozen=True, kw_only=True):
    """Frames a second as a fraction."""

    num: Annotated[int, Meta(description="Numerator.", examples=[24000])]
    den: Annotated[int, Meta(description="Denominator.", examples=[1001])]
