"""Timelines for editing systems, made of ranges of media files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from anyio import to_thread

from api.exports.cleaning import title
from api.exports.frame_rates import frame_rate, nearest_rate
from api.exports.output_path import resolved_output_path
from api.exports.timelines.answers import ExportedTimeline, SequenceFacts, TimelineWarning
from api.exports.timelines.bodies import TimelineBody, TimelineClipBody
from api.exports.timelines.conform import (
    AskedClip,
    AskedMarker,
    check_order,
    commonest_rate,
    conform,
    exact_seconds,
    source_time,
)
from api.exports.timelines.formats import EXTENSIONS, write_timeline
from api.exports.timelines.model import Code, PictureFormat, Remark, Timeline
from api.exports.timelines.pathurl import editors_path, path_map
from api.exports.timelines.sources import TimelineSource, source_of
from api.http.client_paths import ClientPaths
from api.http.concurrency import map_concurrently
from api.http.endpoint import Call, Endpoint
from api.services import Services
from shared.domain import Probe
from shared.errors import BadInput, MediaError, MediaMissing, NotAllowed, NoWorker, RushesError
from shared.exports.writing import write_new
from shared.paths import PathMap
from shared.query.lanes import Lane
from shared.query.messages import ProbeFile
from shared.timecode import Timecode, rate_words

_NAME = "Rushes Export"
_USUAL = PictureFormat(1920, 1080)


@dataclass(frozen=True, slots=True)
class _TimelineRequest:
    """A request whose shape is right."""

    body: TimelineBody
    clips: tuple[AskedClip, ...]
    rate: Fraction | None
    path_map: PathMap
    target: str | None


async def export_timeline(call: Call[TimelineBody]) -> ExportedTimeline:
    """The timeline, which is also written where the request names a path."""
    services, body = call.services, call.body
    asked = await to_thread.run_sync(_checked, services.paths, body)
    ours: dict[int, str] = {}  # by the clip's index
    refused: dict[int, RushesError] = {}
    for clip in asked.clips:
        try:
            ours[clip.index] = services.paths.media(
                body.clips[clip.index].media_path, f"clips[{clip.index}].media_path"
            )
        except NotAllowed as error:
            refused[clip.index] = error
    paths = list(dict.fromkeys(ours.values()))
    probes = dict(
        zip(paths, await map_concurrently(lambda p: _probed(services, p), paths), strict=True)
    )
    for index, path in ours.items():
        found = probes[path]
        if isinstance(found, RushesError):
            refused[index] = found
    _refuse_if_strict(body, refused)
    return await to_thread.run_sync(_exported, services.paths, asked, ours, probes, refused)


async def _probed(services: Services, path: str) -> Probe | MediaError | NotAllowed:
    """What is wrong with one file is said in its place."""
    try:
        return await services.query_client.ask(Lane.PROBE, ProbeFile(path=path))
    except (MediaError, NotAllowed) as error:
        return error


def _checked(paths: ClientPaths, body: TimelineBody) -> _TimelineRequest:
    """All that can be refused before a file is looked at."""
    rate = None
    if body.fps is not None:
        rate = frame_rate(body.fps)
        Timecode.starting_at(nearest_rate(rate), body.start_timecode)
    if body.layout != "sequence" and body.format != "xmeml":
        raise BadInput(f'layout "{body.layout}" exists for the format xmeml only.')
    clips = tuple(_asked_clip(index, clip) for index, clip in enumerate(body.clips))
    for clip in clips:
        check_order(clip)
    return _TimelineRequest(
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


def _refuse_if_strict(body: TimelineBody, refused: Mapping[int, RushesError]) -> None:
    if not body.strict or not refused:
        return
    index = min(refused)
    if isinstance(refused[index], NotAllowed):
        raise refused[index]
    raise BadInput(
        f"clips[{index}].media_path: {body.clips[index].media_path}: {refused[index].message}"
    )


def _exported(
    paths: ClientPaths,
    asked: _TimelineRequest,
    ours: Mapping[int, str],
    probes: Mapping[str, Probe | MediaError | NotAllowed],
    refused: Mapping[int, RushesError],
) -> ExportedTimeline:
    body = asked.body
    sources: dict[str, TimelineSource] = {}
    used: list[tuple[AskedClip, TimelineSource]] = []
    for clip in asked.clips:
        path = ours.get(clip.index, "")
        probe = probes.get(path)
        if isinstance(probe, Probe):
            if path not in sources:
                sources[path] = source_of(
                    editors_path(body.clips[clip.index].media_path, path, asked.path_map), probe
                )
            used.append((clip, sources[path]))
    remarks = [_left_out(index, body, error) for index, error in refused.items()]
    timeline, said = _timeline(asked, used)
    written = write_timeline(timeline, body.format, body.layout, body.pathurl_style)
    remarks += [*said, *written.remarks]
    output_path = None
    if asked.target is not None and body.output_path is not None:
        placed = write_new(asked.target, written.text.encode(), paths.export_roots)
        output_path = paths.back(placed, body.output_path)
    is_xml = body.format in ("xmeml", "fcpxml")
    rate = timeline.rate
    return ExportedTimeline(
        xml=written.text if is_xml else None,
        text=None if is_xml else written.text,
        output_path=output_path,
        sequence=SequenceFacts(
            fps=f"{rate.numerator}/{rate.denominator}", duration_frames=timeline.frames
        ),
        warnings=_in_order(remarks),
    )


def _timeline(
    asked: _TimelineRequest, used: Sequence[tuple[AskedClip, TimelineSource]]
) -> tuple[Timeline, list[Remark]]:
    body = asked.body
    remarks = []
    wanted = asked.rate or commonest_rate(source.media for _, source in used)
    rate = nearest_rate(wanted)
    if rate != wanted:
        remarks.append(
            Remark(
                None,
                Code.ODD_RATE,
                f"No timeline runs at {rate_words(wanted)} frames a second: this one has {rate}.",
            )
        )
    clips, said = conform(used, rate)
    name = title(body.sequence_name, _NAME)
    if name != body.sequence_name:
        remarks.append(Remark(None, Code.NAME_CLEANED, f"The timeline is called {name!r}."))
    first = next((s.media.picture for _, s in used if s.media.picture), _USUAL)
    timeline = Timeline(
        name=name,
        timecode=Timecode.starting_at(rate, body.start_timecode),
        picture=_picture(body, first),
        clips=clips,
    )
    return timeline, remarks + said


def _picture(body: TimelineBody, first: PictureFormat) -> PictureFormat:
    """As the first clip's; a size that is asked for has square pixels."""
    if body.width is None and body.height is None:
        return first
    return PictureFormat(
        body.width or first.width, body.height or first.height, field_order=first.field_order
    )


def _left_out(index: int, body: TimelineBody, error: RushesError) -> Remark:
    code = Code.UNREADABLE_MEDIA
    if isinstance(error, MediaMissing):
        code = Code.MISSING_MEDIA
    elif isinstance(error, NotAllowed):
        code = Code.NOT_ALLOWED
    message = f"{body.clips[index].media_path} was left out: {error.message}"
    return Remark(index, code, message)


def _in_order(remarks: Sequence[Remark]) -> list[TimelineWarning]:
    ordered = sorted(remarks, key=lambda remark: -1 if remark.index is None else remark.index)
    return [TimelineWarning(index=r.index, code=r.code, message=r.message) for r in ordered]


def _target(paths: ClientPaths, body: TimelineBody) -> str | None:
    if body.output_path is None:
        return None
    extension = EXTENSIONS[body.format]
    return resolved_output_path(
        paths, body.output_path, body.sequence_name, extension, EXTENSIONS.values()
    )


ENDPOINTS = (
    Endpoint(
        "POST",
        "/export/premiere-xml",
        export_timeline,
        tag="Exports",
        summary="A timeline for an editing system",
        description="Lays ranges of files one after the other: xmeml (Premiere Pro, Resolve), "
        "FCPXML, OTIO or an EDL. Cuts are rounded once to frames of the timeline, without gaps; "
        "files are named as the request names them, then by `path_map`. A file that is missing, "
        "unreadable or outside the allowed roots is left out with a warning, or refused with "
        "`strict`. An EDL takes files of one frame rate only.",
        body=TimelineBody,
        answer=ExportedTimeline,
        errors={
            BadInput: "clips[0].end_time must be after start_time: 12.5 is not after 21.1.",
            NoWorker: "No worker that can answer this is running. Start one with `rushes worker "
            "query`.",
        },
        example={
            "clips": [
                {
                    "media_path": "/footage/day1/A001.mov",
                    "start_time": 12.5,
                    "end_time": "00:00:21.133",
                    "name": "Opening",
                    "markers": [{"time": 14, "name": "Laughs"}],
                }
            ],
            "sequence_name": "Selects",
            "path_map": [{"from": "/footage", "to": "Z:/"}],
        },
        answer_example={
            "xml": '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n…',
            "text": None,
            "output_path": None,
            "sequence": {"fps": "24000/1001", "duration_frames": 207},
            "warnings": [
                {
                    "index": 0,
                    "code": "clamped_out",
                    "message": "clips[0].end_time is 21.133 s, but A001.mov ends at 21.100 s: the "
                    "clip ends there.",
                }
            ],
        },
    ),
)
