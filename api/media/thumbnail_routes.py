"""Pictures of moments: from the stored grid, else straight from the file by the query worker."""

from __future__ import annotations

import base64
import bisect
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from api.http.concurrency import OUTAGES, map_concurrently, own_slot
from api.http.endpoint import Call, Endpoint
from api.http.services import CoreServices
from api.http.times import seconds_of
from api.media.answers import SceneThumbnails, Thumbnail, Thumbnails
from api.media.bodies import SceneThumbnailsBody, ThumbnailsBody
from api.query_client import TIMEOUT_S
from shared.cache import exact_cuts
from shared.cache.cache_files import is_hash
from shared.cache.exact_cuts import Cuts
from shared.cache.frame_packs import THUMBNAIL_SIDE, PackReader
from shared.clock_times import timestamp
from shared.domain import Scene, Stage
from shared.errors import BadInput, NotAllowed, NoWorker
from shared.query.messages import GrabbedFrames, GrabFrame, GrabFrames, Lane
from shared.rights import KeyScope

LONGEST_S = 45.0  # of work on one stretch: clients wait for a minute
_LEAST_TURN_S = 1.0  # what is left of that may be too little to open a file
_PART_S = 15  # seconds of the file in one go: a few GOPs
_PARTS_AT_ONCE = 2  # as many as a query worker has children for pictures

_LATE = f"reading took {LONGEST_S:g} s. Ask for less, or analyze the file."

Pair = tuple[int, str]  # second, picture


_WITHIN_S = 1.0  # a stored frame stands for times that are nearer than this
T = TypeVar("T")
MOST_PAIRS = 3600  # of one scene request
MOST_GRABBED = 300  # of one whose file is not analyzed
_BESIDE_CUTS_S = 10.0  # for all frames beside cuts that one request asks for


def text(jpeg: bytes) -> str:
    """A picture as answers have it."""
    return base64.b64encode(jpeg).decode("ascii")


@dataclass(slots=True)
class Grabs:
    """What one request takes straight from files."""

    services: CoreServices
    is_gone: Callable[[], Awaitable[bool]]  # whether the client has hung up
    no_worker: str | None = None
    left_out: list[str] = field(default_factory=list)  # parts of a stretch, and why
    _failed: dict[str, str] = field(default_factory=dict)  # path -> why it could not be read

    async def frame(self, path: str, seconds: float, until: float = math.inf) -> Thumbnail:
        """Without a worker there are the stored pictures still; the rest say so, and wait once.

        `until`: on the monotonic clock. With one, a file that has failed is not tried again.
        """
        why = self.no_worker
        if why is None and until < math.inf:
            why = self._failed.get(path, _LATE if time.monotonic() > until else None)
        slot = Thumbnail(thumbnail=None, error=why)
        if why is not None:
            return slot
        roots = self.services.paths.key_roots
        question = GrabFrame(path=path, seconds=seconds, long_side=THUMBNAIL_SIDE, roots=roots)
        try:
            with own_slot(path, *OUTAGES) as failure:
                client = self.services.query_client
                grabbed = await client.ask(Lane.GRAB, question, _within_s(until))
                slot.thumbnail = text(grabbed.jpeg)
            if failure.reason is not None:
                slot.error = self._failed[path] = failure.reason
        except NoWorker as error:
            slot.error = self.no_worker = error.message
        return slot

    async def stretch(self, path: str, seconds: range, until: float) -> list[Pair]:
        """The frame of each second in which one begins, as far as it goes `until` then.

        A part at a time, each in turns: others who want a picture wait for no more than a turn.
        """
        parts = [seconds[at : at + _PART_S] for at in range(0, len(seconds), _PART_S)]
        gaps: dict[str, list[range]] = {}
        found = await map_concurrently(
            lambda part: self._part(path, part, until, gaps), parts, at_once=_PARTS_AT_ONCE
        )
        for why, left in gaps.items():
            first, last = min(gap.start for gap in left), max(gap.stop for gap in left)
            span = f"{timestamp(first)} to {timestamp(last)}"
            self.left_out.append(f"Pictures are missing from {span}: {why}")
        return [pair for part in found for pair in part]

    async def _part(
        self, path: str, part: range, until: float, gaps: dict[str, list[range]]
    ) -> list[Pair]:
        found: list[Pair] = []
        due, why = part.start, self.no_worker or self._failed.get(path)
        while due < part.stop and why is None:
            if await self.is_gone():
                raise ClientDisconnect
            if time.monotonic() > until:
                why = _LATE
                break
            try:
                with own_slot(path, *OUTAGES) as failure:
                    grabbed = await self._turn(path, due, part.stop, until)
                    found += [(second, text(jpeg)) for second, jpeg in grabbed.jpegs]
                    due = grabbed.next
                if failure.reason is not None:  # it would be the same of the rest
                    why = self._failed[path] = failure.reason
            except NoWorker as error:
                why = self.no_worker = error.message
        if why is not None:
            gaps.setdefault(why, []).append(range(due, part.stop))
        return found

    async def _turn(self, path: str, first: int, end: int, until: float) -> GrabbedFrames:
        roots = self.services.paths.key_roots
        question = GrabFrames(
            path=path, seconds=(first, end), long_side=THUMBNAIL_SIDE, roots=roots
        )
        return await self.services.query_client.ask(Lane.GRAB, question, _within_s(until))


def _within_s(until: float) -> float:
    """Seconds that a worker may take."""
    return min(TIMEOUT_S, max(_LEAST_TURN_S, until - time.monotonic()))


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A frame of the grid that may stand for a time."""

    jpeg: bytes
    is_of_shot: bool  # surely of the shot that is shown then; else a cut lies close to it


class StoredGrid:
    """The frames of an analyzed file, with its scenes."""

    def __init__(
        self, pack: PackReader, scenes: Sequence[Scene], exact_cuts: Callable[[], Cuts]
    ) -> None:
        """`exact_cuts` is called where a time lies beside a cut."""
        self._pack = pack
        self._scene_starts = [scene.start for scene in scenes]
        self._exact_cuts = exact_cuts

    def at(self, seconds: float) -> StoredPicture | None:
        """The frame nearest to a time, None where none is near.

        Between two frames with a cut between them, the one on the side of that time. Where nobody
        knows on which side it lies, the earlier one, to whose scene it counts.
        """
        there = self._pack.seconds
        row = int(np.searchsorted(there, seconds, side="right"))
        around = [int(second) for second in there[max(0, row - 1) : row + 1]]
        cut = None if not around or around[0] == seconds else self._cut_between(around)
        if cut is not None:
            exact = self._exact_cuts().get(cut)
            around = around[:1] if exact is None or seconds < exact else around[1:]
        near = [second for second in around if abs(second - seconds) < _WITHIN_S]
        if not near:
            return None
        jpeg = self._pack.read(min(near, key=lambda second: abs(second - seconds)))
        return None if jpeg is None else StoredPicture(jpeg, is_of_shot=cut is None)

    def within(self, seconds: range) -> list[tuple[int, bytes]]:
        """The frames of these seconds; those in which no picture begins have none."""
        there = self._pack.seconds
        first, end = np.searchsorted(there, (seconds.start, seconds.stop))
        found = ((int(second), self._pack.read(int(second))) for second in there[first:end])
        return [(second, jpeg) for second, jpeg in found if jpeg is not None]

    def _cut_between(self, around: list[int]) -> int | None:
        """Where a scene begins after the first of them, and not after the last."""
        starts = self._scene_starts
        following = bisect.bisect_right(starts, around[0])
        if following == len(starts) or starts[following] > around[-1]:
            return None
        return starts[following]


def in_stored_grid(
    services: CoreServices,
    cache_dir: str,
    path: str,
    hint: str | None,
    look: Callable[[StoredGrid], T],
) -> T | None:
    """What `look` gives for the stored grid of a file; None where there is none that can be read.

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
                known = partial(exact_cuts.read, view.cache, found, manifest.file)
                return look(StoredGrid(pack, manifest.scenes, known))
    return None


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
