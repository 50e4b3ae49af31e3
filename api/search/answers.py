"""What searches answer, and the loading of data before them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

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
from api.search.coverage.answers import COVERAGE, Coverage

# Examples for the document.
MATCH = {
    "frame_idx": "67",
    "timestamp": "00:01:07",
    "image": "/9j/4AAQSkZJRg==",
    "scene_start_timestamp": "00:01:02",
    "scene_end_timestamp": "00:01:11",
    "original_index": 67,
    "hash_str": "9ae0daaf81f5b2c3",
    "video_path": "/footage/day1/A001.mov",
}
TRANSCRIPT_MATCH = {
    "media_path": "/footage/day1/A001.mov",
    "hash_str": "9ae0daaf81f5b2c3",
    "start_seconds": 67.2,
    "end_seconds": 71.04,
    "start_timestamp": "00:01:07",
    "end_timestamp": "00:01:11",
    "text": "Thunder, rolling thunder.",
}


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


MatchStrength = Annotated[
    Literal["strong", "fair", "weak"],
    Meta(
        title="MatchStrength",
        description="How likely a match is right. `strong`: more often than not; `fair`: about as "
        "often as not; `weak`: seldom. In an answer with `details`, left out: it is no "
        "match. As `min_strength`: what is weaker is left out, with `weak` what is no match.",
        examples=["fair"],
    ),
]


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

    cluster_job_name: Annotated[str, Meta(description="Its collection.", examples=["Season 1"])]
    cluster_id: Annotated[
        str, Meta(description="As /faces/clusters gives it.", examples=["418350733"])
    ]
    name: (
        Annotated[
            str, Meta(description="What the person is called; null: unnamed.", examples=["Ada"])
        ]
        | None
    )


class Match(Struct, kw_only=True, omit_defaults=True):
    """The best frame of a scene."""

    frame_idx: Annotated[
        str,
        Meta(description="Index on the grid of one frame per second, digits.", examples=["67"]),
    ]
    timestamp: Timestamp
    image: Annotated[
        str,
        Meta(
            description="Bare base64 JPEG, no data: prefix; empty unless `images` is true.",
            examples=["/9j/4AAQSkZJRg=="],
        ),
    ]
    scene_start_timestamp: Timestamp
    scene_end_timestamp: Timestamp
    original_index: Annotated[
        int, Meta(ge=0, description="Row of the frame in its file's embedding array.")
    ]
    hash_str: HashStr
    video_path: Annotated[
        str,
        Meta(
            description="The file, as the client asked for it; else the place where its content "
            "was seen first of those that open, so that a copy does not hide its original."
        ),
    ]
    image_url: (
        Annotated[
            str,
            Meta(
                description="Path of the picture on this server, with `images: url`. Whoever has "
                "it sees the picture for an hour, without a licence key; with an ETag. "
                "`?second=N` shows another second of its scene.",
                examples=["/api/v1/frames/WyIvZm9vdGFnZS8ucnVzaGVzIiwi…"],
            ),
        ]
        | None
    ) = None
    score: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=1,
                description="How likely the match shows what is looked for, whatever is excluded, "
                "with `details`. Left out where that was never measured for the model.",
                examples=[0.71],
            ),
        ]
        | None
    ) = None
    strength: MatchStrength | None = None
    paths: MatchPlaces | None = None
    online: (
        Annotated[
            bool, Meta(description="Whether video_path opens, with `details`.", examples=[True])
        ]
        | None
    ) = None
    cut_start_seconds: (
        Annotated[
            float,
            Meta(
                ge=0,
                description="Where the scene begins to the picture, with `details`. Left out "
                "where that is not known; what is found later is there when it is asked for again.",
                examples=[61.56],
            ),
        ]
        | None
    ) = None
    cut_end_seconds: (
        Annotated[
            float,
            Meta(
                ge=0,
                description="Where the next scene begins to the picture, or the file ends, with "
                "`details`. Left out as `cut_start_seconds`.",
                examples=[70.44],
            ),
        ]
        | None
    ) = None
    model_key: (
        Annotated[
            str,
            Meta(description="The model that found it, with `details`.", examples=["conse-lite0"]),
        ]
        | None
    ) = None
    people: (
        Annotated[
            list[PersonSeen],
            Meta(
                description="Who is seen in the match's scene, with `details`: by collection, in "
                "each the one with most faces first.",
                examples=[
                    [{"cluster_job_name": "Season 1", "cluster_id": "418350733", "name": "Ada"}]
                ],
            ),
        ]
        | None
    ) = None


def _group(match: dict[str, Any]) -> dict[str, Any]:
    """An example."""
    file = {"media_path": "/footage/day1/A001.mov", "hash_str": "9ae0daaf81f5b2c3"}
    return {**file, "matches": [match]}


class MatchGroup(Struct, kw_only=True):
    """What was found in one file."""

    media_path: ClientPath
    hash_str: HashStr
    matches: Annotated[
        list[Match],
        Meta(
            description="The best ones, at most matches_per_file; best first, or by time.",
            examples=[[MATCH]],
        ),
    ]


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

    matches: Annotated[list[Match], Meta(description="At most max_results.")]
    groups: (
        Annotated[
            list[MatchGroup],
            Meta(
                description="Files with their matches, with `group_by`; at most max_results.",
                examples=[[_group(MATCH)]],
            ),
        ]
        | None
    ) = None
    next: Next | None = None
    notes: SearchNotes | None = None
    coverage: Covered = None


class LoadTranscriptionsAnswer(Struct, kw_only=True):
    """Which transcripts are loaded now."""

    message: Message
    transcription_files: Count
    missing: Annotated[list[ClientPath], Meta(description="Files without a usable transcript.")]


class TranscriptMatch(Struct, kw_only=True, omit_defaults=True):
    """A segment in which the query begins, with the next ones if it goes on there."""

    media_path: ClientPath
    hash_str: HashStr
    start_seconds: Annotated[
        float, Meta(ge=0, description="Start of the first segment.", examples=[67.2])
    ]
    end_seconds: Annotated[
        float, Meta(ge=0, description="End of the last segment.", examples=[71.04])
    ]
    start_timestamp: Timestamp
    end_timestamp: Timestamp
    text: Annotated[
        str, Meta(description="Text of these segments.", examples=["Thunder, rolling thunder."])
    ]
    speaker: (
        Annotated[
            str,
            Meta(
                description="Who says it: a label, by first appearance in the file. Left out where "
                "that is unknown, or where several do.",
                examples=["S1"],
            ),
        ]
        | None
    ) = None
    speaker_name: (
        Annotated[
            str,
            Meta(
                description="What that person is called, in any collection; left out where the "
                "voice has no name.",
                examples=["Ada"],
            ),
        ]
        | None
    ) = None
    kind: KindOfCaptions | None = None
    matched_by: (
        Annotated[
            Literal["literal", "fuzzy", "semantic"],
            Meta(
                title="TranscriptMatchedBy",
                description="How it was found, in the modes `semantic` and `auto`.",
                examples=["semantic"],
            ),
        ]
        | None
    ) = None
    score: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=1,
                description="How likely this is what is looked for, with `details`. Left out of "
                "what was found by its words.",
                examples=[0.71],
            ),
        ]
        | None
    ) = None
    strength: MatchStrength | None = None
    paths: MatchPlaces | None = None
    online: (
        Annotated[
            bool, Meta(description="Whether media_path opens, with `details`.", examples=[True])
        ]
        | None
    ) = None


class TranscriptGroup(Struct, kw_only=True):
    """Where the words are said in one file."""

    media_path: ClientPath
    hash_str: HashStr
    matches: Annotated[
        list[TranscriptMatch],
        Meta(description="By time, at most matches_per_file.", examples=[[TRANSCRIPT_MATCH]]),
    ]


class TranscriptMatches(Struct, kw_only=True, omit_defaults=True):
    """By file, then by time; what was found by its meaning, the likest first, comes last."""

    matches: Annotated[list[TranscriptMatch], Meta(description="At most max_results.")]
    groups: (
        Annotated[
            list[TranscriptGroup],
            Meta(
                description="Files with their matches, with `group_by`; at most max_results.",
                examples=[[_group(TRANSCRIPT_MATCH)]],
            ),
        ]
        | None
    ) = None
    next: Next | None = None
    notes: SearchNotes | None = None
    coverage: Covered = None
