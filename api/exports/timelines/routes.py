"""Timelines for editing systems, made of ranges of media files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from api.cache.view import CacheView
from api.exports.cleaning import title
from api.exports.exact_bounds import ExportServices, place_at_cuts
from api.exports.output_path import resolved_output_path
from api.exports.timelines.answers import ExportedTimeline, SequenceFacts, TimelineWarning
from api.exports.timelines.bodies import (
    Layout,
    TimelineBody,
    TimelineClipBody,
    TimelineFormat,
    UrlStyle,
)
from api.exports.timelines.conform import (
    AskedClip,
    AskedMarker,
    commonest_rate,
    conform,
    exact_seconds,
    source_time,
)
from api.exports.timelines.model import Code, PictureFormat, Remark, Timeline
from api.exports.timelines.sources import TimelineSource, editors_path, path_map, source_of
from api.http.client_paths import ClientPaths
from api.http.concurrency import OUTAGES, map_concurrently, own_slot
from api.http.endpoint import Call, Endpoint
from api.http.services import CoreServices
from shared.domain import Probe
from shared.errors import (
    BadInput,
    MediaError,
    MediaMissing,
    MediaUnreadable,
    NotAllowed,
    NothingUsable,
    NoWorker,
    RushesError,
    UnusablePath,
)
from shared.exports.writing import write_output
from shared.paths import PathMap
from shared.query.messages import Lane, ProbeFile
from shared.rights import KeyScope
from shared.timecode import Timecode, frame_rate, nearest_rate, rate_words

EXTENSIONS: dict[TimelineFormat, str] = {
    "xmeml": "xml",
    "fcpxml": "fcpxml",
    "otio": "otio",
    "edl": "edl",
}


_NAME = "Rushes Export"
_EXCLUDED = (Code.MISSING_MEDIA, Code.UNREADABLE_MEDIA, Code.NOT_ALLOWED, Code.BAD_RANGE)
_MOST_REASONS = 10
_USUAL = PictureFormat(1920, 1080)


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
        target=resolved_output_path(
            paths,
            body.output_path,
            body.sequence_name,
            EXTENSIONS[body.format],
            EXTENSIONS.values(),
        ),
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
    text, said = write_timeline(timeline, body.format, body.layout, body.pathurl_style)
    remarks += said
    is_xml = body.format in ("xmeml", "fcpxml")
    rate = timeline.rate
    return ExportedTimeline(
        xml=text if is_xml else None,
        text=None if is_xml else text,
        output_path=_written(paths, asked, text),
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
        message = f"No timeline runs at {rate_words(wanted)} frames a second: this one has {rate}."
        remarks.append(Remark(None, Code.ODD_RATE, message))
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


class OutOfReach(MediaUnreadable):
    """A file whose place does not answer."""


def last_known(services: CoreServices, cache_dir: str, paths: Sequence[str]) -> dict[str, Probe]:
    """What the files at these paths were when they were analyzed, as far as the folder knows.

    Blocks. Raises as `Caches.open`.
    """
    view = services.caches.open(cache_dir)
    hashes = services.caches.hashes_for(view, paths)
    known = {h: probe for h in set(hashes) if h and (probe := _probe(view, h))}
    return {path: known[h] for path, h in zip(paths, hashes, strict=True) if h in known}


def _probe(view: CacheView, hash_str: str) -> Probe | None:
    """The newest that a stage has noted."""
    noted = sorted(view.cache.manifests(hash_str), key=lambda manifest: -manifest.made_at)
    return next((manifest.probe for manifest in noted if manifest.probe), None)


async def export_timeline(call: Call[TimelineBody], services: ExportServices) -> ExportedTimeline:
    """A timeline for an editing system.

    Lays ranges of files one after the other: xmeml (Premiere Pro, Resolve), FCPXML, OTIO or an
    EDL. Cuts are rounded once to frames of the timeline, without gaps; files are named as the
    request names them, then by `path_map`. A file that is missing, unreadable or outside the
    allowed roots, and a range that its file does not have, are left out with a warning, or
    refused with `strict`; 422 where nothing is left. With `cache_dir` a file that is away (a
    disk that is not connected) is laid out as it was known when it was analyzed there, with the
    warning `offline_media`. An EDL takes files of one frame rate only.
    """
    body = call.body
    call.warnings.extend(await place_at_cuts(services, body))
    asked = await services.in_export_folder(body.output_path, checked_request, services.paths, body)
    ours: dict[int, str] = {}  # by the clip's index
    refused: dict[int, RushesError] = {}
    for clip in asked.clips:
        try:
            ours[clip.index] = services.paths.media(
                body.clips[clip.index].media_path, f"clips[{clip.index}].media_path"
            )
        except (NotAllowed, UnusablePath) as error:
            refused[clip.index] = error
    paths = list(dict.fromkeys(ours.values()))
    found = await map_concurrently(lambda p: _probed(services, p), paths, call.is_gone)
    probes = dict(zip(paths, found, strict=True))
    offline = await _known_before(services, body, probes)
    for index, path in ours.items():
        probe = probes[path]
        if isinstance(probe, RushesError) and path not in offline:
            refused[index] = probe
    _refuse_if_strict(body, refused)
    if len(refused) == len(asked.clips):
        raise NothingUsable(_reasons(body, refused))
    files = TimelineFiles(ours, {**probes, **offline}, frozenset(offline), refused)
    return await services.in_export_folder(
        body.output_path, exported_timeline, services.paths, asked, files
    )


async def _known_before(
    services: ExportServices, body: TimelineBody, probes: Mapping[str, Probe | RushesError]
) -> dict[str, Probe]:
    """Files that are away and may be used all the same, as they were when they were analyzed."""
    away = [path for path, p in probes.items() if isinstance(p, MediaMissing | OutOfReach)]
    if body.cache_dir is None or body.strict or not away:
        return {}
    folder = services.paths.cache(body.cache_dir)
    return await services.folders.run(folder, last_known, services, folder, away)


async def _probed(services: ExportServices, path: str) -> Probe | MediaError | NotAllowed:
    """What is wrong with one file is said in its place."""
    try:
        with own_slot(path, *OUTAGES, MediaError, NotAllowed) as failure:
            return await services.query_client.ask(
                Lane.PROBE, ProbeFile(path=path, roots=services.paths.key_roots)
            )
    except (MediaError, NotAllowed) as error:
        return error
    return OutOfReach(failure.reason)


def _reasons(body: TimelineBody, refused: Mapping[int, RushesError]) -> str:
    """Why none of the clips is there, for the first of them."""
    said = [
        f"clips[{index}].media_path: {body.clips[index].media_path}: {error.message}"
        for index, error in sorted(refused.items())[:_MOST_REASONS]
    ]
    more = len(refused) - len(said)
    return " ".join(said) + (f" And {more} more." if more else "")


def _refuse_if_strict(body: TimelineBody, refused: Mapping[int, RushesError]) -> None:
    if not body.strict or not refused:
        return
    index = min(refused)
    if isinstance(refused[index], NotAllowed):
        raise refused[index]
    raise BadInput(
        f"clips[{index}].media_path: {body.clips[index].media_path}: {refused[index].message}"
    )


ENDPOINTS = (
    Endpoint(
        "POST /export/premiere-xml",
        export_timeline,
        "Exports",
        KeyScope.EXPORT,
        is_audited=True,
        errors={
            NothingUsable: "clips[0].media_path: /footage/day1/A001.mov: The file does not exist.",
            BadInput: "clips[0].start_time must be a number of seconds from 0 to 3600000, not -1.",
            NoWorker: "",
        },
        example={"clips": [{"end_time": "00:00:21.133"}], "path_map": ...},
        answer_example={"text": None, "output_path": None},
    ),
)
