"""What searches answer, and the loading of data before them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from api.http.answers import ClientPath, Count, HashStr, Message, Timestamp


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


class MatchPlace(Struct, kw_only=True, omit_defaults=True):
    """A path where content was seen."""

    path: ClientPath
    online: (
        Annotated[
            bool,
            Meta(
                description="It opens and holds the content still. `false`: gone, changed or "
                "away. Left out: that takes too long to find out.",
                examples=[True],
            ),
        ]
        | None
    ) = None


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
                "it sees the picture for an hour, without a licence key; with an ETag.",
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
    paths: (
        Annotated[
            list[MatchPlace],
            Meta(
                description="All paths where the content was seen, with `details`: those that "
                "open first, and of them the one that was seen first.",
                examples=[[{"path": "/footage/day1/A001.mov", "online": True}]],
            ),
        ]
        | None
    ) = None
    online: (
        Annotated[
            bool, Meta(description="Whether video_path opens, with `details`.", examples=[True])
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


class Matches(Struct, kw_only=True, omit_defaults=True):
    """Best first."""

    matches: Annotated[list[Match], Meta(description="At most max_results.")]
    notes: (
        Annotated[
            list[str],
            Meta(
                description="What there is to know of the search, with `details`.",
                examples=[["conse-lite0 hardly knows these words."]],
            ),
        ]
        | None
    ) = None


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
            Meta(description="Who says it; left out where that is unknown.", examples=["Ada"]),
        ]
        | None
    ) = None


class TranscriptMatches(Struct, kw_only=True):
    """By file, then by time."""

    matches: Annotated[list[TranscriptMatch], Meta(description="At most max_results.")]
