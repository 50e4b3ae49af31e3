"""What /export/transcript answers: where the file was written; its JSON file as a type."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType


class ExportedTranscript(Struct, kw_only=True):
    """The file was written."""

    output_path: Annotated[
        str,
        Meta(
            description="Where, in the client's form.", examples=["/footage/exports/interview.docx"]
        ),
    ]
    warnings: Annotated[
        list[str], Meta(description="What in it is not as asked for.", examples=[[]])
    ]


_Start = Annotated[float, Meta(ge=0, description="Seconds.", examples=[0.42])]

_End = Annotated[float, Meta(ge=0, description="Seconds.", examples=[1.9])]


class TranscriptFileWord(Struct, kw_only=True, omit_defaults=True):
    """One word."""

    start: _Start
    end: _End
    text: Annotated[str, Meta(description="The word.", examples=["rolling"])]
    probability: (
        Annotated[float, Meta(ge=0, le=1, description="How sure it was heard so.", examples=[0.93])]
        | UnsetType
    ) = UNSET
    doubtful: Annotated[
        bool,
        Meta(description="It is likely to be wrong. Left out where it is not.", examples=[True]),
    ] = False


class TranscriptFileSegment(Struct, kw_only=True, omit_defaults=True):
    """What is said from `start` to `end`. Fields that do not apply are left out."""

    start: _Start
    end: _End
    text: Annotated[str, Meta(description="What is said.", examples=["We are rolling."])]
    start_tc: (
        Annotated[str, Meta(description="With fps: timecode.", examples=["10:00:00:10"])]
        | UnsetType
    ) = UNSET
    end_tc: (
        Annotated[str, Meta(description="With fps: timecode.", examples=["10:00:01:23"])]
        | UnsetType
    ) = UNSET
    speaker: Annotated[str, Meta(description="Who says it.", examples=["Ada"])] | UnsetType = UNSET
    words: (
        Annotated[
            list[TranscriptFileWord],
            Meta(
                description="Its words.",
                examples=[[{"start": 0.42, "end": 1.9, "text": "rolling"}]],
            ),
        ]
        | UnsetType
    ) = UNSET


class TranscriptFile(Struct, kw_only=True):
    """A transcript as a JSON file; /export/transcript takes it back again."""

    title: Annotated[str, Meta(description="Its title.", examples=["Interview with Ada"])]
    language: (
        Annotated[
            str,
            Meta(description="Lower-case English name; null: unknown.", examples=["english"]),
        ]
        | None
    )
    segments: Annotated[
        list[TranscriptFileSegment],
        Meta(
            description="In the order of the request.",
            examples=[[{"start": 0.42, "end": 1.9, "text": "We are rolling."}]],
        ),
    ]
