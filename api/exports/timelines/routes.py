"""Timelines for editing systems, made of ranges of media files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from api.cache.view import CacheView
from api.exports.exact_bounds import ExportServices, place_at_cuts
from api.exports.timelines.answers import ExportedTimeline
from api.exports.timelines.assembly import TimelineFiles, checked_request, exported_timeline
from api.exports.timelines.bodies import TimelineBody
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
from shared.query.messages import Lane, ProbeFile
from shared.rights import KeyScope


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


_MOST_REASONS = 10


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
    offline = await _offline(services, body, probes)
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


async def _offline(
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
