"""Pictures of moments: from the stored grid, else straight from the file by the query worker."""

from __future__ import annotations

import math
import time

from starlette.concurrency import run_in_threadpool

from api.http.concurrency import map_concurrently
from api.http.endpoint import Call, Endpoint
from api.http.services import CoreServices
from api.http.times import seconds_of
from api.media.answers import SceneThumbnails, Thumbnail, Thumbnails
from api.media.bodies import SceneThumbnailsBody, ThumbnailsBody
from api.media.grabbed_pictures import LONGEST_S, Grabs, text
from api.media.stored_pictures import StoredGrid, in_stored_grid
from shared.cache.frame_packs import THUMBNAIL_SIDE
from shared.clock_times import timestamp
from shared.errors import BadInput, NotAllowed
from shared.rights import KeyScope

MOST_PAIRS = 3600  # of one scene request
MOST_GRABBED = 300  # of one whose file is not analyzed
_BESIDE_CUTS_S = 10.0  # for all frames beside cuts that one request asks for


async def get_thumbnails(call: Call[ThumbnailsBody], services: CoreServices) -> Thumbnails:
    """Pictures of moments."""
    body = call.body
    cache_dir = services.paths.cache(body.cache_dir)
    slots, by_path = await run_in_threadpool(_checked, services, body)
    missing: list[tuple[int, str, float]] = []

    async def fill(path: str) -> None:
        wanted = by_path[path]
        stored = await services.folders.run(
            cache_dir,
            in_stored_grid,
            services,
            cache_dir,
            path,
            None,
            lambda grid: [grid.at(seconds) for _, seconds in wanted],
        )
        for (n, seconds), picture in zip(wanted, stored or [None] * len(wanted), strict=True):
            if picture is not None:
                slots[n].thumbnail = text(picture.jpeg)
            if picture is None or not picture.is_of_shot:
                missing.append((n, path, seconds))

    await map_concurrently(fill, list(by_path), call.is_gone)
    grabs = Grabs(services, call.is_gone)
    missing.sort()
    # Where a stored picture may stand for it, a slow file is worth no long wait.
    until = time.monotonic() + _BESIDE_CUTS_S

    async def grabbed(one: tuple[int, str, float]) -> Thumbnail:
        n, path, seconds = one
        return await grabs.frame(path, seconds, until if slots[n].thumbnail else math.inf)

    found = await map_concurrently(grabbed, missing, call.is_gone)
    for (n, _, _), slot in zip(missing, found, strict=True):
        if slot.thumbnail is not None or slots[n].thumbnail is None:
            slots[n] = slot
    return Thumbnails(thumbnails=slots)


def _checked(
    services: CoreServices, body: ThumbnailsBody
) -> tuple[list[Thumbnail], dict[str, list[tuple[int, float]]]]:
    """A slot for each frame, and which of which file are to be filled; 100,000 take a while."""
    slots = [Thumbnail(thumbnail=None) for _ in body.requests]
    by_path: dict[str, list[tuple[int, float]]] = {}
    for n, request in enumerate(body.requests):
        field = f"requests[{n}].time_seconds"
        try:
            if request.time_seconds is None:
                raise BadInput(f"{field} is required.")
            seconds = seconds_of(request.time_seconds, field)
            path = services.paths.media(request.media_path, f"requests[{n}].media_path")
        except (NotAllowed, BadInput) as error:
            slots[n].error = error.message
        else:
            by_path.setdefault(path, []).append((n, seconds))
    return slots, by_path


async def get_scene_thumbnails(
    call: Call[SceneThumbnailsBody], services: CoreServices
) -> SceneThumbnails:
    """Pictures of a stretch, one a second."""
    body = call.body
    cache_dir = services.paths.cache(body.cache_dir)
    path = services.paths.media(body.media_path, "media_path")
    start = seconds_of(body.start_time, "start_time")
    end = seconds_of(body.end_time, "end_time")
    if end < start:
        raise BadInput("end_time must not be before start_time.")
    seconds = range(math.ceil(start), math.ceil(end))
    if len(seconds) > MOST_PAIRS:
        raise BadInput(f"start_time to end_time may span {MOST_PAIRS} s at the most.")
    stored = await services.folders.run(
        cache_dir,
        in_stored_grid,
        services,
        cache_dir,
        path,
        body.hash_str,
        lambda grid: _stored_scene(grid, start, seconds),
    )
    if stored:
        pairs = [(second, text(jpeg)) for second, jpeg in stored]
    else:
        pairs = await _grabbed_scene(
            call, services, path, start, seconds if stored is None else range(0)
        )
    return SceneThumbnails(
        scene_thumbnails=[(jpeg, timestamp(second)) for second, jpeg in pairs] or None
    )


def _stored_scene(grid: StoredGrid, start: float, seconds: range) -> list[tuple[float, bytes]]:
    """Frames of these seconds; where there are none, what is shown at `start`, if that is sure."""
    found: list[tuple[float, bytes]] = [*grid.within(seconds)]
    if not found and (shown := grid.at(start)) and shown.is_of_shot:
        found = [(start, shown.jpeg)]
    return found


async def _grabbed_scene(
    call: Call[SceneThumbnailsBody], services: CoreServices, path: str, start: float, seconds: range
) -> list[tuple[float, str]]:
    """Straight from the file; where what it shows at `start` cannot be had, nothing is."""
    if len(seconds) > MOST_GRABBED:
        raise BadInput(
            f"start_time to end_time may span {MOST_GRABBED} s at the most in a file that is not "
            "analyzed. Ask for less, or analyze it."
        )
    grabs = Grabs(services, call.is_gone)
    until = time.monotonic() + LONGEST_S
    shown = await grabs.frame(path, start, until)
    if shown.thumbnail is None:
        call.warnings.append(f"There are no pictures: {shown.error}")
        return []
    found = await grabs.stretch(path, seconds, until)
    call.warnings.extend(grabs.left_out)
    return [*found] or [(start, shown.thumbnail)]


ENDPOINTS = (
    Endpoint(
        "POST /thumbnails",
        get_thumbnails,
        "Thumbnails",
        KeyScope.SEARCH,
        description=f"Longest side {THUMBNAIL_SIDE} px, in request order, null where a frame "
        "cannot be had. Of analysed files the stored frame nearest in time, but the frame itself "
        "where a cut lies between the two stored frames around it (where it cannot be had, the one "
        "on that side of the cut as far as its exact place is known, else the earlier one); of "
        "others the frame itself.",
    ),
    Endpoint(
        "POST /thumbnails/scene",
        get_scene_thumbnails,
        "Thumbnails",
        KeyScope.SEARCH,
        description="The first frame of each second from `start_time` to before `end_time`, as "
        "scenes are half-open; seconds in which no frame begins are left out. Where that is none, "
        "the frame that is shown at `start_time`. "
        f"At most {MOST_PAIRS:,} seconds; of a file that is not analysed {MOST_GRABBED}, and what "
        f"is read within {LONGEST_S:g} s: X-Rushes-Warnings says what is missing.",
        errors={BadInput: "end_time must not be before start_time."},
        example={"end_time": 14},
    ),
)
