"""What /export/premiere-xml answers."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from api.exports.timelines.model import Code


class TimelineWarning(Struct, kw_only=True):
    """What is not as asked for, or may surprise."""

    index: Annotated[int | None, Meta(examples=[0])]
    """The clip's in the request; null: the whole."""
    code: Annotated[Code, Meta(examples=["rate_conformed"])]
    """What kind."""
    message: Annotated[str, Meta(examples=["The clip ends there."])]
    """For people."""


class SequenceFacts(Struct, kw_only=True):
    """The timeline as it was made."""

    fps: Annotated[str, Meta(examples=["24000/1001"])]
    """Exactly."""
    duration_frames: Annotated[int, Meta(examples=[207])]
    """Frames."""


class ExportedTimeline(Struct, kw_only=True):
    """The timeline, and where it was written."""

    xml: (
        Annotated[
            str, Meta(examples=['<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n…'])
        ]
        | None
    )
    """The file, for the formats xmeml and fcpxml."""
    text: Annotated[str, Meta(examples=["TITLE: A"])] | None
    """The file, for the formats otio and edl."""
    output_path: Annotated[str, Meta(examples=["/footage/exports/selects.xml"])] | None
    """Where it was written, in the client's form."""
    sequence: SequenceFacts
    warnings: list[TimelineWarning]
    """By clip, in request order; those of the whole come first."""
