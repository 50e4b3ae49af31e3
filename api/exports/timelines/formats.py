"""The formats of timelines, by the names that requests use."""

from __future__ import annotations

from dataclasses import dataclass

from api.exports.timelines.bodies import Layout, TimelineFormat, UrlStyle
from api.exports.timelines.model import Remark, Timeline
from shared.errors import BadInput

EXTENSIONS: dict[TimelineFormat, str] = {
    "xmeml": "xml",
    "fcpxml": "fcpxml",
    "otio": "otio",
    "edl": "edl",
}


@dataclass(frozen=True, slots=True)
class WrittenTimeline:
    """The file's text, and what is to be said about it."""

    text: str
    remarks: tuple[Remark, ...] = ()


def write_timeline(
    timeline: Timeline, kind: TimelineFormat, layout: Layout, style: UrlStyle | None
) -> WrittenTimeline:
    """Raises BadInput for what the format cannot hold. Libraries are loaded when they are used."""
    if layout != "sequence" and kind != "xmeml":
        raise BadInput(f'layout "{layout}" exists for the format xmeml only, not for {kind}.')
    if kind == "xmeml":
        from api.exports.timelines.xmeml import xmeml

        return WrittenTimeline(xmeml(timeline, layout, style or "localhost"))
    if kind == "fcpxml":
        from api.exports.timelines.fcpxml import fcpxml

        return WrittenTimeline(fcpxml(timeline, style or "empty_host"))
    if kind == "otio":
        from api.exports.timelines.otio import otio_json

        return WrittenTimeline(otio_json(timeline, style or "empty_host"))
    from api.exports.timelines.edl import edl

    text, remarks = edl(timeline)
    return WrittenTimeline(text, tuple(remarks))
