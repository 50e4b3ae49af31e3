"""Timelines for editing systems, made of ranges of media files."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from api.exports.cleaning import title
from api.exports.exact_bounds import ExportServices, place_at_cuts
from api.exports.output_path import resolved_output_path, write_to
from api.exports.timelines.bodies import (
    ExportedTimeline,
    Layout,
    SequenceFacts,
    TimelineBody,
    TimelineClipBody,
    TimelineFormat,
    UrlStyle,
)
from api.exports.timelines.conform import (
    AskedClip,
    commonest_rate,
    conform,
    exact_seconds,
    source_time,
)
from api.exports.timelines.model import Code, PictureFormat, Timeline, TimelineWarning
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
) -> tuple[str, list[TimelineWarning]]:
    """The file's text, and what is to be said about it. Libraries are loaded when they are used.

    Raises BadInput for what the format cannot hold.
    """
    if kind == "edl":
        from api.exports.timelines.edl import edl

        return edl(timeline)
    if kind == "xmeml":
        from api.exports.timelines.xmeml import xmeml

        return xmeml(timeline, layout, style or "localhost"), []
    if kind == "fcpxml":
        from api.exports.timelines.fcpxml import fcpxml as write
    else:
        from api.exports.timelines.otio import otio_json as write
    return write(timeline, style or "empty_host"), []


def checked_target(paths: ClientPaths, body: TimelineBody) -> str | None:
    """Return where the file goes, in our form. Refuse what is wrong before a file is looked at.

    Raises BadInput and NotAllowed.
    """
    if body.fps is not None:
        Timecode.starting_at(nearest_rate(frame_rate(body.fps)), body.start_timecode)
    if body.layout != "sequence" and body.format != "xmeml":
        raise BadInput(f'layout "{body.layout}" exists for the format xmeml only.')
    for index, clip in enumerate(body.clips):
        _check_times(clip, f"clips[{index}]")
    _path_map(body)
    extension = EXTENSIONS[body.format]
    return resolved_output_path(
        paths, body.output_path, body.sequence_name, extension, EXTENSIONS.values()
    )


def _check_times(clip: TimelineClipBody, field: str) -> None:
    for number, marker in enumerate(clip.markers):
        source_time(marker.time, f"{field}.markers[{number}].time")
        exact_seconds(marker.duration or 0, f"{field}.markers[{number}].duration")
    source_time(clip.start_time, f"{field}.start_time")
    source_time(clip.end_time, f"{field}.end_time")
    exact_seconds(clip.handle_seconds, f"{field}.handle_seconds")


def _path_map(body: TimelineBody) -> PathMap:
    return path_map([(pair.from_, pair.to) for pair in body.path_map])


def exported_timeline(
    paths: ClientPaths,
    body: TimelineBody,
    target: str | None,
    ours: Mapping[int, str],
    probes: Mapping[str, Probe | MediaError | NotAllowed],
    offline: Mapping[str, Probe],
    refused: Mapping[int, RushesError],
) -> ExportedTimeline:
    """Write a timeline: `ours` (our paths) and `refused` by the clip's index, the rest by path.

    `offline`: what is known of files that are away.
    """
    used = _used(body, ours, {**probes, **offline})
    remarks = [_left_out(index, body, error) for index, error in refused.items()]
    for index in [index for index, path in ours.items() if path in offline]:
        given = body.clips[index].media_path
        message = f"{given} is away: it was laid out as it was when it was analyzed."
        remarks.append(TimelineWarning(index, Code.OFFLINE_MEDIA, message))
    timeline, said = _timeline(body, used)
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
        output_path=target and write_to(target, text.encode(), paths, body),
        sequence=SequenceFacts(
            fps=f"{rate.numerator}/{rate.denominator}", duration_frames=timeline.frames
        ),
        warnings=_in_order(remarks),
    )


def _used(
    body: TimelineBody,
    ours: Mapping[int, str],
    probes: Mapping[str, Probe | MediaError | NotAllowed],
) -> list[AskedClip]:
    """Return the clips whose files are known; one file is one source."""
    sources: dict[str, TimelineSource] = {}
    used = []
    folders = _path_map(body)
    for index, path in ours.items():
        probe, clip = probes[path], body.clips[index]
        if isinstance(probe, Probe):
            if path not in sources:
                sources[path] = source_of(editors_path(clip.media_path, path, folders), probe)
            used.append(AskedClip(index, clip, sources[path]))
    return used


def _timeline(
    body: TimelineBody, used: Sequence[AskedClip]
) -> tuple[Timeline, list[TimelineWarning]]:
    remarks = []
    medias = [clip.source.media for clip in used]
    wanted = commonest_rate(medias) if body.fps is None else frame_rate(body.fps)
    rate = nearest_rate(wanted)
    if rate != wanted:
        message = f"No timeline runs at {rate_words(wanted)} frames a second: this one has {rate}."
        remarks.append(TimelineWarning(None, Code.ODD_RATE, message))
    clips, said = conform(used, rate)
    name = title(body.sequence_name, _NAME)
    if name != body.sequence_name:
        remarks.append(
            TimelineWarning(None, Code.NAME_CLEANED, f"The timeline is called {name!r}.")
        )
    picture = next((media.picture for media in medias if media.picture), _USUAL)
    if body.width is not None or body.height is not None:  # which has square pixels
        width, height = body.width or picture.width, body.height or picture.height
        picture = PictureFormat(width, height, field_order=picture.field_order)
    timeline = Timeline(
        name=name,
        timecode=Timecode.starting_at(rate, body.start_timecode),
        picture=picture,
        clips=clips,
    )
    return timeline, remarks + said


def _left_out(index: int, body: TimelineBody, error: RushesError) -> TimelineWarning:
    codes = {MediaMissing: Code.MISSING_MEDIA, NotAllowed: Code.NOT_ALLOWED}
    code = codes.get(type(error), Code.UNREADABLE_MEDIA)
    message = f"{body.clips[index].media_path} was left out: {error.message}"
    return TimelineWarning(index, code, message)


def _in_order(remarks: Sequence[TimelineWarning]) -> list[TimelineWarning]:
    return sorted(remarks, key=lambda remark: -1 if remark.index is None else remark.index)


class OutOfReach(MediaUnreadable):
    """A file whose place does not answer."""


def last_known(services: CoreServices, cache_dir: str, paths: Sequence[str]) -> dict[str, Probe]:
    """What the files at these paths were when they were analyzed, as far as the folder knows.

    Blocks. Raises as `Caches.open`.
    """
    view = services.caches.open(cache_dir)
    hashes = services.caches.hashes_for(view, paths)
    known: dict[str | None, Probe] = {}
    for hash_str in filter(None, set(hashes)):
        # The newest that a stage has noted.
        for manifest in sorted(view.cache.manifests(hash_str), key=lambda each: each.made_at):
            if manifest.probe:
                known[hash_str] = manifest.probe
    return {path: known[h] for path, h in zip(paths, hashes, strict=True) if h in known}


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
    target = await services.in_export_folder(body.output_path, checked_target, services.paths, body)
    ours: dict[int, str] = {}  # by the clip's index
    refused: dict[int, RushesError] = {}
    for index, clip in enumerate(body.clips):
        try:
            ours[index] = services.paths.media(clip.media_path, f"clips[{index}].media_path")
        except (NotAllowed, UnusablePath) as error:
            refused[index] = error
    paths = list(dict.fromkeys(ours.values()))
    found = await map_concurrently(lambda p: _probed(services, p), paths, call.is_gone)
    probes = dict(zip(paths, found, strict=True))
    offline = await _known_before(services, body, probes)
    for index, path in ours.items():
        probe = probes[path]
        if isinstance(probe, RushesError) and path not in offline:
            refused[index] = probe
    _check_refused(body, refused)
    export = functools.partial(
        exported_timeline, services.paths, body, target, ours, probes, offline, refused
    )
    return await services.in_export_folder(body.output_path, export)


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


def _check_refused(body: TimelineBody, refused: Mapping[int, RushesError]) -> None:
    """Raise NothingUsable where no clip is left; with `strict`, the first error there is."""
    reasons = [
        f"clips[{index}].media_path: {body.clips[index].media_path}: {error.message}"
        for index, error in sorted(refused.items())
    ]
    if body.strict and reasons:
        first = refused[min(refused)]
        raise first if isinstance(first, NotAllowed) else BadInput(reasons[0])
    if len(reasons) == len(body.clips):
        more = len(reasons) - _MOST_REASONS
        end = f" And {more} more." if more > 0 else ""
        raise NothingUsable(" ".join(reasons[:_MOST_REASONS]) + end)


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
