"""The formats of timelines, by the names that requests use."""

from __future__ import annotations

from api.exports.timelines.bodies import Layout, TimelineFormat, UrlStyle
from api.exports.timelines.model import Remark, Timeline

EXTENSIONS: dict[TimelineFormat, str] = {
    "xmeml": "xml",
    "fcpxml": "fcpxml",
    "otio": "otio",
    "edl": "edl",
}


def write_timeline(
    timeline: Timeline, kind: TimelineFormat, layout: Layout, style: UrlStyle | None
) -> tuple[str, list[Remark]]:
    """The file's text, and what is to be said about it. Libraries are loaded when they are used.

    Raises BadInput for what the format cannot hold.
    """
    if kind == "xmeml":
        from api.exports.timelines.xmeml import xmeml

        return xmeml(timeline, layout, style or "localhost"), []
    if kind == "fcpxml":
        from api.exports.timelines.fcpxml import fcpxml

        return fcpxml(timeline, style or "empty_host"), []
    if kind == "otio":
        from api.exports.timelines.otio import otio_json

        return otio_json(timeline, style or "empty_host"), []
    from api.exports.timelines.edl import edl

    return edl(timeline)
