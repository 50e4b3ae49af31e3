"""What searches answer, and the loading of data before them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from api.http.answers import (
    ClientPath,
    Count,
    HashStr,
    KindOfCaptions,
    MatchPlace,
    Message,
    Timestamp,
)
from api.search.bodies import MatchStrength
from api.search.coverage.answers import COVERAGE, Coverage


class Skipped(Struct, kw_only=True):
    """Data that cannot be loaded."""

    hash_str: HashStr
    reason: Annotated[str, Meta(examples=["Its data is cut off."])]
    """Why."""


class LoadAnswer(Struct, kw_only=True):
    """What is loaded now."""

    message: Message
    visual_files: Count
    transcription_files: Count
    frames: Count
    skipped: list[Skipped]
    """Data that cannot be loaded."""


class LoadForMediaAnswer(LoadAnswer, kw_only=True):
    """What is loaded now, and which of the files have no data."""

    missing: list[str]
    """Files without visual data."""


MatchPlaces = Annotated[
    list[MatchPlace],
    Meta(
        description="All paths where the content was seen, with `details`: those that open first, "
        "and of them the one that was seen first.",
        examples=[[{"path": "/footage/day1/A001.mov", "online": True}]],
    ),
]
SearchNotes = Annotated[
    list[str],
    Meta(
        description="What there is to know of the search, with `details`.",
        examples=[["conse-lite0 hardly knows these words."]],
    ),
]


class PersonSeen(Struct, kw_only=True):
    """A cluster of faces, which is a person."""

    cluster_job_name: Annotated[str, Meta(examples=["Season 1"])]
    """Its collection."""
    cluster_id: Annotated[str, Meta(examples=["418350733"])]
    """As /faces/clusters gives it."""
    name: Annotated[str, Meta(examples=["Ada"])] | None
    """What the person is called; null: unnamed."""


class Match(Struct, kw_only=True, omit_defaults=True):
    """The best frame of a scene."""

    frame_idx: Annotated[str, Meta(examples=["67"])]
    """Index on the grid of one frame per second, digits."""
    timestamp: Timestamp
    image: Annotated[str, Meta(examples=["/9j/4AAQSkZJRg=="])]
    """Bare base64 JPEG, no data: prefix; empty unless `images` is true."""
    scene_start_timestamp: Annotated[Timestamp, Meta(examples=["00:01:02"])]
    scene_end_timestamp: Annotated[Timestamp, Meta(examples=["00:01:11"])]
    original_index: Annotated[int, Meta(ge=0, examples=[67])]
    """Row of the frame in its file's embedding array."""
    hash_str: HashStr
    video_path: Annotated[str, Meta(examples=["/footage/day1/A001.mov"])]
    """The file, as the client asked for it; else the place where its content was seen first of
    those that open, so that a copy does not hide its original."""
    image_url: (
        Annotated[str, Meta(examples=["/api/v1/frames/WyIvZm9vdGFnZS8ucnVzaGVzIiwi…"])] | None
    ) = None
    """Path of the picture on this server, with `images: url`. Whoever has it sees the picture for
    an hour, without a licence key; with an ETag. `?second=N` shows another second of its scene."""
    score: Annotated[float, Meta(ge=0, le=1, examples=[0.71])] | None = None
    """How likely the match shows what is looked for, whatever is excluded, with `details`. Left out
    where that was never measured for the model."""
    strength: MatchStrength | None = None
    paths: MatchPlaces | None = None
    online: Annotated[bool, Meta(examples=[True])] | None = None
    """Whether video_path opens, with `details`."""
    cut_start_seconds: Annotated[float, Meta(ge=0, examples=[61.56])] | None = None
    """Where the scene begins to the picture, with `details`. Left out where that is not known; what
    is found later is there when it is asked for again."""
    cut_end_seconds: Annotated[float, Meta(ge=0, examples=[70.44])] | None = None
    """Where the next scene begins to the picture, or the file ends, with `details`. Left out as
    `cut_start_seconds`."""
    model_key: Annotated[str, Meta(examples=["conse-lite0"])] | None = None
    """The model that found it, with `details`."""
    people: (
        Annotated[
            list[PersonSeen],
            Meta(
                examples=[
                    [{"cluster_job_name": "Season 1", "cluster_id": "418350733", "name": "Ada"}]
                ]
            ),
        ]
        | None
    ) = None
    """Who is seen in the match's scene, with `details`: by collection, in each the one with most
    faces first."""


class MatchGroup(Struct, kw_only=True):
    """What was found in one file."""

    media_path: ClientPath
    hash_str: HashStr
    matches: list[Match]
    """The best ones, at most matches_per_file; best first, or by time."""


Next = Annotated[
    str,
    Meta(
        description="The `cursor` of the page after this one, where `cursor` was sent. Left out: "
        "this is the last page.",
        examples=["WyI1ZDQxNDAyYWJj….k3v9…"],
    ),
]


Covered = Annotated[
    Coverage | None,
    Meta(
        description="How much of what was asked was searched, with `coverage`.",
        examples=[COVERAGE],
    ),
]


class Matches(Struct, kw_only=True, omit_defaults=True):
    """Best first, unless `sort` says otherwise."""

    matches: list[Match]
    """At most max_results."""
    groups: list[MatchGroup] | None = None
    """Files with their matches, with `group_by`; at most max_results."""
    next: Next | None = None
    notes: SearchNotes | None = None
    coverage: Covered = None


class LoadTranscriptionsAnswer(Struct, kw_only=True):
    """Which transcripts are loaded now."""

    message: Message
    transcription_files: Count
    missing: list[ClientPath]
    """Files without a usable transcript."""


class TranscriptMatch(Struct, kw_only=True, omit_defaults=True):
    """A segment in which the query begins, with the next ones if it goes on there."""

    media_path: ClientPath
    hash_str: HashStr
    start_seconds: Annotated[float, Meta(ge=0, examples=[67.2])]
    """Start of the first segment."""
    end_seconds: Annotated[float, Meta(ge=0, examples=[71.04])]
    """End of the last segment."""
    start_timestamp: Timestamp
    end_timestamp: Annotated[Timestamp, Meta(examples=["00:01:11"])]
    text: Annotated[str, Meta(examples=["Thunder, rolling thunder."])]
    """Text of these segments."""
    speaker: Annotated[str, Meta(examples=["S1"])] | None = None
    """Who says it: a label, by first appearance in the file. Left out where that is unknown, or
    where several do."""
    speaker_name: Annotated[str, Meta(examples=["Ada"])] | None = None
    """What that person is called, in any collection; left out where the voice has no name."""
    kind: KindOfCaptions | None = None
    matched_by: (
        Annotated[
            Literal["literal", "fuzzy", "semantic"],
            Meta(title="TranscriptMatchedBy", examples=["semantic"]),
        ]
        | None
    ) = None
    """How it was found, in the modes `semantic` and `auto`."""
    score: Annotated[float, Meta(ge=0, le=1, examples=[0.71])] | None = None
    """How likely this is what is looked for, with `details`. Left out of what was found by its
    words."""
    strength: MatchStrength | None = None
    paths: MatchPlaces | None = None
    online: Annotated[bool, Meta(examples=[True])] | None = None
    """Whether media_path opens, with `details`."""


class TranscriptGroup(Struct, kw_only=True):
    """Where the words are said in one file."""

    media_path: ClientPath
    hash_str: HashStr
    matches: list[TranscriptMatch]
    """By time, at most matches_per_file."""


class TranscriptMatches(Struct, kw_only=True, omit_defaults=True):
    """By file, then by time; what was found by its meaning, the likest first, comes last."""

    matches: list[TranscriptMatch]
    """At most max_results."""
    groups: list[TranscriptGroup] | None = None
    """Files with their matches, with `group_by`; at most max_results."""
    next: Next | None = None
    notes: SearchNotes | None = None
    coverage: Covered = None
