"""Request bodies. These types both validate requests and make the OpenAPI document.

Defaults, limits, descriptions and examples stand here and nowhere else. A null is dropped before
validation, so `T | None` only tells readers of the document that leaving a key out has a meaning.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from api.http.times import TIME_PATTERN
from shared.cache.transcripts import AudioStreams

MediaPath = Annotated[
    str,
    Meta(
        min_length=1,
        description="Absolute path of a media file that the backend itself can open.",
        examples=["/footage/day1/A001.mov"],
    ),
]
CacheDir = Annotated[
    str,
    Meta(
        min_length=1,
        description="Folder with the analysis data, chosen by the caller; an absolute path.",
        examples=["/footage/.rushes"],
    ),
]
MediaPaths = Annotated[
    list[MediaPath],
    Meta(
        description="Absolute paths of media files that the backend itself can open.",
        examples=[["/footage/day1/A001.mov"]],
    ),
]
Time = Annotated[
    Annotated[float, Meta(ge=0, description="A time in seconds.", examples=[12.5])]
    | Annotated[
        str, Meta(pattern=TIME_PATTERN, description="HH:MM:SS[.mmm]", examples=["00:00:12.500"])
    ],
    Meta(description="Seconds, or HH:MM:SS[.mmm].", examples=[12.5]),
]


class Keyed(Struct, kw_only=True):
    """What every body may carry."""

    license_key: (
        Annotated[
            Any,
            Meta(
                description="Licence key, for clients that cannot send the X-License-Key header. "
                "The header wins when both are there.",
                examples=["rushes-0123456789abcdef"],
                extra_json_schema={"type": "string"},
            ),
        ]
        | None
    ) = None


class ModelLoadBody(Keyed, kw_only=True):
    """Make a model the active one of its kind and load it."""

    model_key: Annotated[
        str,
        Meta(min_length=1, description="A key of /models/available.", examples=["conse-lite0"]),
    ]
    model_type: Annotated[
        Literal["visual", "speech", "faces"], Meta(description="Kind of model.")
    ] = "visual"


class MetadataBody(Keyed, kw_only=True):
    """Files to describe."""

    media_paths: MediaPaths
    cache_dir: (
        Annotated[
            str,
            Meta(
                min_length=1,
                description="With it, each item says what is analysed there.",
                examples=["/footage/.rushes"],
            ),
        ]
        | None
    ) = None


class TranscriptionJob(Struct, kw_only=True):
    """One file to transcribe."""

    path: MediaPath
    language: (
        Annotated[
            str,
            Meta(
                description='English name such as "english", an ISO code such as "en" or "eng", '
                'a tag such as "en-US", or "auto". Null and "auto": detect. The same path twice '
                "must not name two languages.",
                examples=["english"],
            ),
        ]
        | None
    ) = None


class AnalyzeBody(Keyed, kw_only=True):
    """What to analyze. At least one list must name a file."""

    cache_dir: CacheDir
    visual_media_paths: Annotated[
        list[MediaPath], Meta(description="Videos and stills whose pictures are analysed.")
    ] = []
    transcription_jobs: Annotated[
        list[TranscriptionJob],
        Meta(description="Videos and sound files whose speech is transcribed."),
    ] = []
    face_media_paths: Annotated[
        list[MediaPath],
        Meta(description="Videos and stills in which faces are found; needs cluster_job_name."),
    ] = []
    cluster_job_name: (
        Annotated[
            str,
            Meta(
                min_length=1,
                description="Collection (1 to 200 characters) that receives the faces, made when "
                "it is new; required with face_media_paths.",
                examples=["Season 1"],
            ),
        ]
        | None
    ) = None
    face_eps: (
        Annotated[
            float,
            Meta(
                gt=0,
                le=2,
                description="Lower groups faces more strictly. Left out: what the collection was "
                "grouped with last, 0.48 for a new one. Another value than that groups the whole "
                "collection anew.",
                examples=[0.48],
            ),
        ]
        | None
    ) = None
    face_min_samples: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=1_000_000,
                description="Clear faces that make a person; fewer are in no cluster. Left out: as "
                "`face_eps`, 5 for a new collection.",
                examples=[5],
            ),
        ]
        | None
    ) = None
    face_model_key: (
        Annotated[
            str,
            Meta(
                min_length=1,
                description="Face model; left out: the active one. Faces of two models never meet: "
                "a collection shows those of the model that was used last.",
                examples=["dlib-resnet"],
            ),
        ]
        | None
    ) = None
    visual_model_key: (
        Annotated[
            str,
            Meta(
                min_length=1,
                description="Visual model; left out: the active one.",
                examples=["conse-lite0"],
            ),
        ]
        | None
    ) = None
    speech_model_key: (
        Annotated[
            str,
            Meta(
                min_length=1,
                description="Speech model; left out: the active one. With one that knows English "
                "only, a file whose `language` is another one fails with that reason; so does one "
                "of unnamed language of which it understands little, given a second of speech.",
                examples=["whisper-base"],
            ),
        ]
        | None
    ) = None
    audio_streams: (
        Annotated[
            AudioStreams,
            Meta(
                description="What counts in a file with several audio streams: all of them mixed "
                "(`mix`), the `first`, or `each` by itself, its segments marked with the stream. "
                "Left out: the setting RUSHES_AUDIO_STREAMS. A file that was transcribed in "
                "another way is transcribed again.",
                examples=["mix"],
            ),
        ]
        | None
    ) = None
    force: Annotated[bool, Meta(description="Redo what is done already.")] = False
    on_busy: Annotated[
        Literal["replace", "queue", "refuse"],
        Meta(
            description="While another analysis runs: `replace` asks it to stop (409 when it is "
            "still unwinding after 2 s), `queue` starts when it has ended, `refuse` answers 409 "
            "and stops nothing."
        ),
    ] = "replace"


class CancelBody(Keyed, kw_only=True):
    """Which task to stop."""

    task_id: (
        Annotated[
            str,
            Meta(
                min_length=1,
                description="Left out: the foreground analysis.",
                examples=["8f14e45fceea167a5a36dedd4bea2543"],
            ),
        ]
        | None
    ) = None


class LoadBody(Keyed, kw_only=True):
    """Which analysis data to load."""

    cache_dir: CacheDir


class LoadForMediaBody(Keyed, kw_only=True):
    """The files whose visual data to load; an empty list loads nothing."""

    cache_dir: CacheDir
    media_paths: MediaPaths


class ThumbnailRequest(Struct, kw_only=True):
    """One frame."""

    media_path: MediaPath
    time_seconds: Time


class ThumbnailsBody(Keyed, kw_only=True):
    """Frames to show."""

    cache_dir: CacheDir
    requests: Annotated[list[ThumbnailRequest], Meta(description="The frames, in any order.")]


class SceneThumbnailsBody(Keyed, kw_only=True):
    """A stretch of one file, ends included, one thumbnail a second."""

    cache_dir: CacheDir
    media_path: MediaPath
    start_time: Time
    end_time: Time
    hash_str: (
        Annotated[
            str,
            Meta(
                min_length=1,
                description="The file's id, when it is known: saves reading the file.",
                examples=["9ae0daaf81f5b2c3"],
            ),
        ]
        | None
    ) = None


class CachePathsBody(Keyed, kw_only=True):
    """Files whose places in the cache folder are asked."""

    cache_dir: CacheDir
    media_paths: MediaPaths
    visual_model_key: (
        Annotated[
            str,
            Meta(
                min_length=1,
                description="Left out: the active visual model.",
                examples=["conse-lite0"],
            ),
        ]
        | None
    ) = None
    speech_model_key: (
        Annotated[
            str,
            Meta(
                min_length=1,
                description="Left out: the active speech model.",
                examples=["whisper-base"],
            ),
        ]
        | None
    ) = None
