"""Pictures straight from files, by the query worker: single ones, and those of a stretch."""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.requests import ClientDisconnect

from api.http.concurrency import OUTAGES, map_concurrently, own_slot
from api.http.services import CoreServices
from api.media.answers import Thumbnail
from api.query_client import TIMEOUT_S
from shared.cache.frame_packs import THUMBNAIL_SIDE
from shared.clock_times import timestamp
from shared.errors import NoWorker
from shared.query.messages import GrabbedFrames, GrabFrame, GrabFrames, Lane

LONGEST_S = 45.0  # of work on one stretch: clients wait for a minute
_LEAST_TURN_S = 1.0  # what is left of that may be too little to open a file
_PART_S = 15  # seconds of the file in one go: a few GOPs
_PARTS_AT_ONCE = 2  # as many as a query worker has children for pictures

_LATE = f"reading took {LONGEST_S:g} s. Ask for less, or analyze the file."

Pair = tuple[int, str]  # second, picture


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
        if why is not None:
            return Thumbnail(thumbnail=None, error=why)
        try:
            found = await self._frame(path, seconds, until)
        except NoWorker as error:
            self.no_worker = error.message
            return Thumbnail(thumbnail=None, error=error.message)
        if found.error is not None:
            self._failed[path] = found.error
        return found

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
        question = GrabFrames(
            path=path,
            seconds=(first, end),
            long_side=THUMBNAIL_SIDE,
            roots=self.services.paths.key_roots,
        )
        return await self.services.query_client.ask(Lane.GRAB, question, _within_s(until))

    async def _frame(self, path: str, seconds: float, until: float) -> Thumbnail:
        slot = Thumbnail(thumbnail=None)
        question = GrabFrame(
            path=path,
            seconds=seconds,
            long_side=THUMBNAIL_SIDE,
            roots=self.services.paths.key_roots,
        )
        with own_slot(path, *OUTAGES) as failure:
            client = self.services.query_client
            grabbed = await client.ask(Lane.GRAB, question, _within_s(until))
            slot.thumbnail = text(grabbed.jpeg)
        slot.error = failure.reason
        return slot


def _within_s(until: float) -> float:
    """Seconds that a worker may take."""
    return min(TIMEOUT_S, max(_LEAST_TURN_S, until - time.monotonic()))
