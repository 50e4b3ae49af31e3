"""A request for a timeline, checked before any file is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from api.exports.frame_rates import frame_rate, nearest_rate
from api.exports.output_path import resolved_output_path
from api.exports.timelines.bodies import TimelineBody, TimelineClipBody
from api.exports.timelines.conform import (
    AskedClip,
    AskedMarker,
    exact_seconds,
    source_time,
)
from api.exports.timelines.formats import EXTENSIONS
from api.exports.timelines.pathurl import path_map
from api.http.client_paths import ClientPaths
from shared.errors import BadInput
from shared.paths import PathMap
from shared.timecode import Timecode


@dataclass(frozen=True, slots=True)
class TimelineRequest:
    """A request whose shape is right."""

    body: TimelineBody
    clips: tuple[AskedClip, ...]
    rate: Fraction | None
    path_map: PathMap
    target: str | None


def checked_request(paths: ClientPaths, body: TimelineBody) -> TimelineRequest:
    """All that can be refused before a file is looked at."""
    rate = None
    if body.fps is not None:
        rate = frame_rate(body.fps)
        Timecode.starting_at(nearest_rate(rate), body.start_timecode)
    if body.layout != "sequence" and body.format != "xmeml":
        raise BadInput(f'layout "{body.layout}" exists for the format xmeml only.')
    clips = tuple(_asked_clip(index, clip) for index, clip in enumerate(body.clips))
    return TimelineRequest(
        body=body,
        clips=clips,
        rate=rate,
        path_map=path_map([(pair.from_, pair.to) for pair in body.path_map]),
        target=_target(paths, body),
    )


def _asked_clip(index: int, clip: TimelineClipBody) -> AskedClip:
    field = f"clips[{index}]"
    markers = tuple(
        AskedMarker(
            time=source_time(marker.time, f"{field}.markers[{number}].time"),
            name=marker.name,
            comment=marker.comment,
            length=None
            if marker.duration is None
            else exact_seconds(marker.duration, f"{field}.markers[{number}].duration"),
        )
        for number, marker in enumerate(clip.markers)
    )
    return AskedClip(
        index=index,
        start=source_time(clip.start_time, f"{field}.start_time"),
        end=source_time(clip.end_time, f"{field}.end_time"),
        name=clip.name,
        handle=exact_seconds(clip.handle_seconds, f"{field}.handle_seconds"),
        markers=markers,
    )


def _target(paths: ClientPaths, body: TimelineBody) -> str | None:
    if body.output_path is None:
        return None
    extension = EXTENSIONS[body.format]
    return resolved_output_path(
        paths, body.output_path, body.sequence_name, extension, EXTENSIONS.values()
    )
