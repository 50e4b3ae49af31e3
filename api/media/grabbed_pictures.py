"""Pictures straight from files, by the query worker: single ones, and those of a stretch."""

from __future__ import annotations

import base64
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.requests import ClientDisconnect

from api.http.concurrency import map_concurrently
from api.http.slots import OUTAGES, own_slot
from api.media.answers import Thumbnail
from api.services import Services
from shared.cache.frame_packs import THUMBNAIL_SIDE
from shared.clock_times import timestamp
from shared.errors import NoWorker
from shared.query.lanes import Lane
from shared.query.messages import GrabbedFrames, GrabFrame, GrabFrames

LONGEST_S = 45.0  # of work on one stretch: clients wait for a minute, and a last turn takes seconds
_PART_S = 15  # seconds of the file in one go: a few GOPs
_PARTS_AT_ONCE = 2  # as many as a query worker has children for pictures

Pair = tuple[int, str]  # second, picture


def text(jpeg: bytes) -> str:
    """A picture as answers have it."""
    return base64.b64encode(jpeg).decode("ascii")


@dataclass(slots=True)
class Grabs:
    """What one request takes straight from files."""

    services: Services
    is_gone: Callable[[], Awaitable[bool]]  # whether the client has hung up
    no_worker: str | None = None
    left_out: list[str] = field(default_factory=list)  # parts of a stretch, and why

    async def frame(self, path: str, seconds: float) -> Thumbnail:
        """Without a worker there are the stored pictures still; the rest say so, and wait once."""
        if self.no_worker is not None:
            return Thumbnail(thumbnail=None, error=self.no_worker)
        try:
            return await self._frame(path, seconds)
        except NoWorker as error:
            self.no_worker = error.message
            return Thumbnail(thumbnail=None, error=error.message)

    async def stretch(self, path: str, seconds: range) -> list[Pair]:
        """The frame of each second in which one begins, as far as LONGEST_S goes.

        A part at a time, each in turns: others who want a picture wait for no more than a turn.
        """
        until = time.monotonic() + LONGEST_S
        parts = [seconds[at : at + _PART_S] for at in range(0, len(seconds), _PART_S)]
        found = await map_concurrently(
            lambda part: self._part(path, part, until), parts, at_once=_PARTS_AT_ONCE
        )
        return [pair for part in found for pair in part]

    async def _part(self, path: str, part: range, until: float) -> list[Pair]:
        found: list[Pair] = []
        due, why = part.start, self.no_worker
        while due < part.stop and why is None:
            if await self.is_gone():
                raise ClientDisconnect
            if time.monotonic() > until:
                why = f"reading took {LONGEST_S:g} s. Ask for less, or analyze the file."
                break
            try:
                with own_slot(path, *OUTAGES) as failure:
                    grabbed = await self._turn(path, due, part.stop)
                    found += [(second, text(jpeg)) for second, jpeg in grabbed.jpegs]
                    due = grabbed.next
                why = failure.reason
            except NoWorker as error:
                why = self.no_worker = error.message
        if why is not None:
            span = f"{timestamp(due)} to {timestamp(part.stop)}"
            self.left_out.append(f"There are no pictures from {span}: {why}")
        return found

    async def _turn(self, path: str, first: int, end: int) -> GrabbedFrames:
        question = GrabFrames(
            path=path,
            seconds=(first, end),
            long_side=THUMBNAIL_SIDE,
            roots=self.services.paths.key_roots,
        )
        return await self.services.query_client.ask(Lane.GRAB, question)

    async def _frame(self, path: str, seconds: float) -> Thumbnail:
        slot = Thumbnail(thumbnail=None)
        question = GrabFrame(
            path=path,
            seconds=seconds,
            long_side=THUMBNAIL_SIDE,
            roots=self.services.paths.key_roots,
        )
        with own_slot(path, *OUTAGES) as failure:
            grabbed = await self.services.query_client.ask(Lane.GRAB, question)
            slot.thumbnail = text(grabbed.jpeg)
        slot.error = failure.reason
        return slot
