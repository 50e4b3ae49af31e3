"""Request bodies about media files; see api.http.bodies for what holds of all bodies."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from api.http.bodies import (
    LONGEST_TIME_S,
    LONGEST_WORD,
    MOST_ITEMS,
    AbsolutePath,
    CacheDir,
    Keyed,
    ListedPath,
    MediaPath,
    MediaPaths,
    Time,
)
from api.http.times import TIME_PATTERN


class MetadataBody(Keyed, kw_only=True):
    """Files to describe."""

    media_paths: MediaPaths
    cache_dir: (
        Annotated[
            AbsolutePath,
            Meta(
                description="With it, each item says what is analysed there.",
                examples=["/footage/.rushes"],
            ),
        ]
        | None
    ) = None
    details: Annotated[
        bool,
        Meta(
            description="With cache_dir: all that is known of each file, in `details`: places, "
            "results by model, scenes, people, transcript, warnings."
        ),
    ] = False


class ThumbnailRequest(Struct, kw_only=True):
    """One frame."""

    media_path: ListedPath
    # One that can be no time of a file, such as -1, is its item's own error.
    time_seconds: Annotated[
        Annotated[float, Meta(le=LONGEST_TIME_S, extra_json_schema={"minimum": 0})]
        | Annotated[str, Meta(max_length=LONGEST_WORD, extra_json_schema={"pattern": TIME_PATTERN})]
        | None,
        Meta(description="Seconds, or HH:MM:SS[.mmm].", examples=[12.5]),
    ]


class ThumbnailsBody(Keyed, kw_only=True):
    """Frames to show."""

    cache_dir: CacheDir
    requests: Annotated[
        list[ThumbnailRequest],
        Meta(max_length=MOST_ITEMS, description="The frames, in any order."),
    ]


class SceneThumbnailsBody(Keyed, kw_only=True):
    """A stretch of one file, from start_time to before end_time, one thumbnail a second."""

    cache_dir: CacheDir
    media_path: MediaPath
    start_time: Time
    end_time: Time
    hash_str: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=LONGEST_WORD,
                description="The file's id, a hint where the path alone tells none.",
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
                max_length=LONGEST_WORD,
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
                max_length=LONGEST_WORD,
                description="Left out: the active speech model.",
                examples=["whisper-base"],
            ),
        ]
        | None
    ) = None
