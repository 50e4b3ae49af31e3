"""A checked request and what its files are: the timeline, written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from api.exports.cleaning import title
from api.exports.output_path import resolved_output_path
from api.exports.timelines.answers import ExportedTimeline, SequenceFacts, TimelineWarning
from api.exports.timelines.bodies import TimelineBody, TimelineClipBody
from api.exports.timelines.conform import (
    AskedClip,
    AskedMarker,
    commonest_rate,
    conform,
    exact_seconds,
    source_time,
)
from api.exports.timelines.formats import EXTENSIONS, write_timeline
from api.exports.timelines.model import Code, PictureFormat, Remark, Timeline
from api.exports.timelines.sources import TimelineSource, editors_path, path_map, source_of
from api.http.client_paths import ClientPaths
from shared.domain import Probe
from shared.errors import (
    BadInput,
    MediaError,
    MediaMissing,
    NotAllowed,
    NothingUsable,
    RushesError,
)
from shared.exports.writing import write_output
from shared.paths import PathMap
from shared.timecode import Timecode, frame_rate, nearest_rate, rate_words


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


_NAME = "Rushes Export"
_EXCLUDED = (Code.MISSING_MEDIA, Code.UNREADABLE_MEDIA, Code.NOT_ALLOWED, Code.BAD_RANGE)
_MOST_REASONS = 10

_USUAL = PictureFormat(1920, 1080)


@dataclass(frozen=True, slots=True)
class TimelineFiles:
    """What the files of a request are; clips are named by their index in it."""

    paths: Mapping[int, str]  # in our form
    probes: Mapping[str, Probe | MediaError | NotAllowed]  # by path
    offline: frozenset[str]  # paths whose probe is an old one: the file is away
    refused: Mapping[int, RushesError]


def exported_timeline(
    paths: ClientPaths, asked: TimelineRequest, files: TimelineFiles
) -> ExportedTimeline:
    body = asked.body
    sources: dict[str, TimelineSource] = {}
    used: list[tuple[AskedClip, TimelineSource]] = []
    for clip in asked.clips:
        path = files.paths.get(clip.index, "")
        probe = files.probes.get(path)
        if isinstance(probe, Probe):
            if path not in sources:
                sources[path] = source_of(
                    editors_path(body.clips[clip.index].media_path, path, asked.path_map), probe
                )
            used.append((clip, sources[path]))
    remarks = [_left_out(index, body, error) for index, error in files.refused.items()]
    away = [index for index, path in files.paths.items() if path in files.offline]
    remarks += [_offline(index, body) for index in away]
    timeline, said = _timeline(asked, used)
    remarks += said
    excluded = [remark for remark in _in_order(remarks) if remark.code in _EXCLUDED]
    if excluded and body.strict:
        raise BadInput(excluded[0].message)
    if not timeline.clips:
        raise NothingUsable(" ".join(remark.message for remark in excluded[:_MOST_REASONS]))
    written = write_timeline(timeline, body.format, body.layout, body.pathurl_style)
    remarks += written.remarks
    is_xml = body.format in ("xmeml", "fcpxml")
    rate = timeline.rate
    return ExportedTimeline(
        xml=written.text if is_xml else None,
        text=None if is_xml else written.text,
        output_path=_written(paths, asked, written.text),
        sequence=SequenceFacts(
            fps=f"{rate.numerator}/{rate.denominator}", duration_frames=timeline.frames
        ),
        warnings=_in_order(remarks),
    )


def _written(paths: ClientPaths, asked: TimelineRequest, text: str) -> str | None:
    """Where the file lies, in the client's form; None where none was asked for."""
    body = asked.body
    if asked.target is None or body.output_path is None:
        return None
    placed = write_output(
        asked.target,
        text.encode(),
        paths.export_roots,
        on_exists=body.on_exists,
        create_dir=body.create_dir,
    )
    return paths.back(placed, body.output_path)


def _timeline(
    asked: TimelineRequest, used: Sequence[tuple[AskedClip, TimelineSource]]
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
    """The first clip's form; a size that is asked for has square pixels."""
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


def _offline(index: int, body: TimelineBody) -> Remark:
    path = body.clips[index].media_path
    message = f"{path} is away: it was laid out as it was when it was analyzed."
    return Remark(index, Code.OFFLINE_MEDIA, message)


def _in_order(remarks: Sequence[Remark]) -> list[TimelineWarning]:
    ordered = sorted(remarks, key=lambda remark: -1 if remark.index is None else remark.index)
    return [TimelineWarning(index=r.index, code=r.code, message=r.message) for r in ordered]
