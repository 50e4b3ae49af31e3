"""Request bodies about what was said; see api.http.bodies for what holds of all bodies."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from api.http.bodies import CacheDir, Keyed, MediaPath, MediaPaths


class TranscriptionsBody(Keyed, kw_only=True):
    """Files whose transcripts are asked for."""

    cache_dir: CacheDir
    media_paths: MediaPaths
    words: Annotated[bool, Meta(description="Add the words of each segment, with times.")] = False
    warnings: Annotated[
        bool, Meta(description="Add the spans whose text was refused or decoded again.")
    ] = False


class LoadTranscriptionsBody(Keyed, kw_only=True):
    """The files whose transcripts to load."""

    cache_dir: CacheDir
    media_paths: (
        Annotated[
            list[MediaPath],
            Meta(
                description="Left out: all of the cache_dir. An empty list loads nothing.",
                examples=[["/footage/day1/A001.mov"]],
            ),
        ]
        | None
    ) = None


class SearchTranscriptBody(Keyed, kw_only=True):
    """A search in what was said."""

    query: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=10_000,
            description="Words as they were said.",
            examples=["rolling thunder"],
        ),
    ]
    cache_dir: CacheDir
    media_paths: (
        Annotated[
            list[MediaPath],
            Meta(
                description="Search in these files only, in this order; ignored with search_all. "
                "Left out: all loaded media of the cache_dir. An empty list: no matches.",
                examples=[["/footage/day1/A001.mov"]],
            ),
        ]
        | None
    ) = None
    search_all: Annotated[bool, Meta(description="Search all loaded media.")] = False
    max_results: Annotated[
        int, Meta(ge=1, description="At most this many matches.", examples=[50])
    ] = 50
    speaker: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=1000,
                description="Only what this speaker says. Without data about speakers it matches "
                "nothing.",
                examples=["Ada"],
            ),
        ]
        | None
    ) = None
    mode: Annotated[
        Literal["substring", "fuzzy"],
        Meta(
            description="`substring`: the query itself. `fuzzy`: also with about one wrong letter "
            "in five; the order of the matches is the same."
        ),
    ] = "substring"
