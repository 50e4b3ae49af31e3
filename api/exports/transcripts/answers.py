"""What /export/transcript answers: where the file was written; its JSON file as a type."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType


class ExportedTranscript(Struct, kw_only=True):
    """The file was written."""

    output_path: Annotated[str, Meta(examples=["/footage/exports/interview.docx"])]
    """Where, in the client's form."""
    warnings: Annotated[list[str], Meta(examples=[[]])]
    """What in it is not as asked for."""


_Start = Annotated[float, Meta(ge=0, description="Seconds.", examples=[0.42])]

_End = Annotated[float, Meta(ge=0, description="Seconds.", examples=[1.9])]


class TranscriptFileWord(Struct, kw_only=True, omit_defaults=True):
    """One word."""

    start: _Start
    end: _End
    text: Annotated[str, Meta(examples=["rolling"])]
    """The word."""
    probability: Annotated[float, Meta(ge=0, le=1, examples=[0.93])] | UnsetType = UNSET
    """How sure it was heard so."""
    doubtful: Annotated[bool, Meta(examples=[True])] = False
    """It is likely to be wrong. Left out where it is not."""


class TranscriptFileSegment(Struct, kw_only=True, omit_defaults=True):
    """What is said from `start` to `end`. Fields that do not apply are left out."""

    start: _Start
    end: _End
    text: Annotated[str, Meta(examples=["We are rolling."])]
    """What is said."""
    start_tc: Annotated[str, Meta(examples=["10:00:00:10"])] | UnsetType = UNSET
    """With fps: timecode."""
    end_tc: Annotated[str, Meta(examples=["10:00:01:23"])] | UnsetType = UNSET
    """With fps: timecode."""
    speaker: Annotated[str, Meta(examples=["Ada"])] | UnsetType = UNSET
    """Who says it."""
    words: list[TranscriptFileWord] | UnsetType = UNSET
    """Its words."""


class TranscriptFile(Struct, kw_only=True):
    """A transcript as a JSON file; /export/transcript takes it back again."""

    title: Annotated[str, Meta(examples=["Interview with Ada"])]
    """Its title."""
    language: Annotated[str, Meta(examples=["english"])] | None
    """Lower-case English name; null: unknown."""
    segments: list[TranscriptFileSegment]
    """In the order of the request."""
