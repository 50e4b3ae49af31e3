"""What /export/premiere-xml answers."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from api.exports.timelines.model import Code


class TimelineWarning(Struct, kw_only=True):
    """What is not as asked for, or may surprise."""

    index: Annotated[
        int | None, Meta(description="The clip's in the request; null: the whole.", examples=[0])
    ]
    code: Annotated[Code, Meta(description="What kind.", examples=["rate_conformed"])]
    message: Annotated[str, Meta(description="For people.", examples=["The clip ends there."])]


class SequenceFacts(Struct, kw_only=True):
    """The timeline as it was made."""

    fps: Annotated[str, Meta(description="Exactly.", examples=["24000/1001"])]
    duration_frames: Annotated[int, Meta(description="Frames.", examples=[207])]


class ExportedTimeline(Struct, kw_only=True):
    """The timeline, and where it was written."""

    xml: (
        Annotated[
            str,
            Meta(
                description="The file, for the formats xmeml and fcpxml.",
                examples=['<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n…'],
            ),
        ]
        | None
    )
    text: (
        Annotated[
            str, Meta(description="The file, for the formats otio and edl.", examples=["TITLE: A"])
        ]
        | None
    )
    output_path: (
        Annotated[
            str,
            Meta(
                description="Where it was written, in the client's form.",
                examples=["/footage/exports/selects.xml"],
            ),
        ]
        | None
    )
    sequence: SequenceFacts
    warnings: Annotated[
        list[TimelineWarning],
        Meta(description="By clip, in request order; those of the whole come first."),
    ]
