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
    Word,
)
from api.http.times import TIME_PATTERN


class MetadataBody(Keyed, kw_only=True):
    """Files to describe."""

    media_paths: MediaPaths
    cache_dir: Annotated[AbsolutePath, Meta(examples=["/footage/.rushes"])] | None = None
    """With it, each item says what is analysed there."""
    details: bool = False
    """With cache_dir: all that is known of each file, in `details`: places, results by model,
    scenes, people, transcript, warnings."""


class ThumbnailRequest(Struct, kw_only=True):
    """One frame."""

    media_path: ListedPath
    # One that can be no time of a file, such as -1, is its item's own error.
    time_seconds: Annotated[
        Annotated[float, Meta(le=LONGEST_TIME_S, extra_json_schema={"minimum": 0})]
        | Annotated[str, Meta(max_length=LONGEST_WORD, extra_json_schema={"pattern": TIME_PATTERN})]
        | None,
        Meta(examples=[12.5]),
    ]
    """Seconds, or HH:MM:SS[.mmm]."""


class ThumbnailsBody(Keyed, kw_only=True):
    """Frames to show."""

    cache_dir: CacheDir
    requests: Annotated[list[ThumbnailRequest], Meta(max_length=MOST_ITEMS)]
    """The frames, in any order."""


class SceneThumbnailsBody(Keyed, kw_only=True):
    """A stretch of one file, from start_time to before end_time, one thumbnail a second."""

    cache_dir: CacheDir
    media_path: MediaPath
    start_time: Time
    end_time: Time
    hash_str: Annotated[Word, Meta(examples=["9ae0daaf81f5b2c3"])] | None = None
    """The file's id, a hint where the path alone tells none."""


class CachePathsBody(Keyed, kw_only=True):
    """Files whose places in the cache folder are asked."""

    cache_dir: CacheDir
    media_paths: MediaPaths
    visual_model_key: Annotated[Word, Meta(examples=["conse-lite0"])] | None = None
    """Left out: the active visual model."""
    speech_model_key: Annotated[Word, Meta(examples=["whisper-base"])] | None = None
    """Left out: the active speech model."""


class PlaybackBody(Keyed, kw_only=True):
    """A file to play."""

    media_path: MediaPath
    cache_dir: Annotated[AbsolutePath, Meta(examples=["/footage/.rushes"])] | None = None
    """With it, stored pictures are found, also of a file that is away."""
