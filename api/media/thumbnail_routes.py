"""Pictures of moments: from the stored grid, else straight from the file by the query worker."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from api.http.concurrency import map_concurrently
from api.http.endpoint import Call, Endpoint
from api.http.slots import OUTAGES, own_slot
from api.http.times import seconds_of
from api.media.answers import SceneThumbnails, Thumbnail, Thumbnails
from api.media.bodies import SceneThumbnailsBody, ThumbnailsBody
from api.services import Services
from shared.cache.cache_files import is_hash
from shared.cache.frame_packs import THUMBNAIL_SIDE, PackReader
from shared.clock_times import timestamp
from shared.domain import Stage
from shared.errors import BadInput, NotAllowed, NoWorker, UnusablePath
from shared.query.lanes import Lane
from shared.query.messages import GrabFrame
from shared.rights import KeyScope

MOST_PAIRS = 3600  # of one scene request
_WITHIN_S = 1.0  # a stored frame stands for times that are nearer than this


async def get_thumbnails(call: Call[ThumbnailsBody]) -> Thumbnails:
    """Pictures in request order, null where a frame cannot be had."""
    services, body = call.services, call.body
    cache_dir = services.paths.cache(body.cache_dir)
    slots, by_path = await run_in_threadpool(_checked, services, body)
    missing: list[tuple[int, str, float]] = []

    async def fill(path: str) -> None:
        wanted = by_path[path]
        times = [seconds for _, seconds in wanted]
        stored = await services.folders.run(
            cache_dir, _stored, services, cache_dir, path, times, None
        )
        for (n, seconds), jpeg in zip(wanted, stored, strict=True):
            if jpeg is not None:
                slots[n].thumbnail = _text(jpeg)
            else:
                missing.append((n, path, seconds))

    await map_concurrently(fill, list(by_path), call.is_gone)
    grabs = _Grabs(services)
    missing.sort()
    found = await map_concurrently(lambda m: grabs.frame(m[1], m[2]), missing, call.is_gone)
    for (n, _, _), slot in zip(missing, found, strict=True):
        slots[n] = slot
    return Thumbnails(thumbnails=slots)


def _checked(
    services: Services, body: ThumbnailsBody
) -> tuple[list[Thumbnail], dict[str, list[tuple[int, float]]]]:
    """A slot for each frame, and which of which file are to be filled; 100,000 take a while."""
    slots = [Thumbnail(thumbnail=None) for _ in body.requests]
    by_path: dict[str, list[tuple[int, float]]] = {}
    for n, request in enumerate(body.requests):
        seconds = seconds_of(request.time_seconds, f"requests[{n}].time_seconds")
        try:
            path = services.paths.media(request.media_path, f"requests[{n}].media_path")
        except (NotAllowed, UnusablePath) as error:
            slots[n].error = error.message
        else:
            by_path.setdefault(path, []).append((n, seconds))
    return slots, by_path


async def get_scene_thumbnails(call: Call[SceneThumbnailsBody]) -> SceneThumbnails:
    """One pair per grid second, ends included."""
    services, body = call.services, call.body
    cache_dir = services.paths.cache(body.cache_dir)
    path = services.paths.media(body.media_path, "media_path")
    start_time = seconds_of(body.start_time, "start_time")
    end_time = seconds_of(body.end_time, "end_time")
    if end_time < start_time:
        raise BadInput("end_time must not be before start_time.")
    start, end = int(start_time), int(end_time)
    if end - start >= MOST_PAIRS:
        raise BadInput(f"start_time to end_time may span {MOST_PAIRS} s at the most.")
    seconds = range(start, end + 1)
    stored = await services.folders.run(
        cache_dir, _stored, services, cache_dir, path, seconds, body.hash_str
    )
    if any(stored):
        found = [None if jpeg is None else _text(jpeg) for jpeg in stored]
    else:
        found = await _grabbed_scene(call, path, seconds)
    pairs = [
        (jpeg, timestamp(second))
        for second, jpeg in zip(seconds, found, strict=True)
        if jpeg is not None
    ]
    return SceneThumbnails(scene_thumbnails=pairs or None)


async def _grabbed_scene(
    call: Call[SceneThumbnailsBody], path: str, seconds: Sequence[int]
) -> list[str | None]:
    """Straight from the file; where its first second cannot be had, none is tried for."""
    grabs = _Grabs(call.services)
    first = await grabs.frame(path, seconds[0])
    if first.thumbnail is None:
        return [None] * len(seconds)
    rest = await map_concurrently(lambda at: grabs.frame(path, at), seconds[1:], call.is_gone)
    return [slot.thumbnail for slot in (first, *rest)]


@dataclass(slots=True)
class _Grabs:
    """Frames straight from files, for one request."""

    services: Services
    no_worker: str | None = None

    async def frame(self, path: str, seconds: float) -> Thumbnail:
        """Without a worker there are the stored pictures still; the rest say so, and wait once."""
        if self.no_worker is not None:
            return Thumbnail(thumbnail=None, error=self.no_worker)
        try:
            return await _grabbed(self.services, path, seconds)
        except NoWorker as error:
            self.no_worker = error.message
            return Thumbnail(thumbnail=None, error=error.message)


async def _grabbed(services: Services, path: str, seconds: float) -> Thumbnail:
    slot = Thumbnail(thumbnail=None)
    with own_slot(path, *OUTAGES) as failure:
        grabbed = await services.query_client.ask(
            Lane.GRAB,
            GrabFrame(
                path=path,
                seconds=seconds,
                long_side=THUMBNAIL_SIDE,
                roots=services.paths.key_roots,
            ),
        )
        slot.thumbnail = _text(grabbed.jpeg)
    slot.error = failure.reason
    return slot


def _stored(
    services: Services,
    cache_dir: str,
    path: str,
    times: Sequence[float],
    hint: str | None,
) -> list[bytes | None]:
    """Pictures of the stored grid; None for each time that it does not hold.

    `hint`: the id of the file, which serves where the path itself tells none.
    """
    with own_slot(f"Reading stored pictures of {path}", NotAllowed):
        view = services.caches.open(cache_dir)
        found = services.caches.hash_for(view, path)
        if found is None and hint and is_hash(hint):
            found = hint
        manifest = view.cache.manifest(found, Stage.FRAMES) if found else None
        if found and manifest:
            with PackReader(view.cache.data_path(found, manifest)) as pack:
                return [_near(pack, seconds) for seconds in times]
    return [None] * len(times)


def _near(pack: PackReader, seconds: float) -> bytes | None:
    second = pack.nearest(seconds)
    if second is None or abs(second - seconds) >= _WITHIN_S:
        return None
    return pack.read(second)


def _text(jpeg: bytes) -> str:
    return base64.b64encode(jpeg).decode("ascii")


_JPEG = "/9j/4AAQSkZJRg=="

ENDPOINTS = (
    Endpoint(
        "POST",
        "/thumbnails",
        get_thumbnails,
        scope=KeyScope.SEARCH,
        tag="Thumbnails",
        summary="Pictures of moments",
        description=f"Longest side {THUMBNAIL_SIDE} px, in request order, null where a frame "
        "cannot be had. Of analysed files the stored frame nearest in time; of others the frame "
        "itself.",
        body=ThumbnailsBody,
        answer=Thumbnails,
        example={
            "cache_dir": "/footage/.rushes",
            "requests": [{"media_path": "/footage/day1/A001.mov", "time_seconds": 12}],
        },
        answer_example={"thumbnails": [{"thumbnail": _JPEG}]},
    ),
    Endpoint(
        "POST",
        "/thumbnails/scene",
        get_scene_thumbnails,
        scope=KeyScope.SEARCH,
        tag="Thumbnails",
        summary="Pictures of a stretch, one a second",
        description=f"Ends included, at most {MOST_PAIRS} seconds.",
        body=SceneThumbnailsBody,
        answer=SceneThumbnails,
        errors={BadInput: "end_time must not be before start_time."},
        example={
            "cache_dir": "/footage/.rushes",
            "media_path": "/footage/day1/A001.mov",
            "start_time": "00:00:12",
            "end_time": 13,
        },
        answer_example={"scene_thumbnails": [[_JPEG, "00:00:12"], [_JPEG, "00:00:13"]]},
    ),
)
