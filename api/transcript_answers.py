"""Answers of transcript search; see api.answers for the others."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from api.answers import ClientPath, Count, HashStr, Message, Timestamp


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
