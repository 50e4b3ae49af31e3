"""What requests need to know about single files: their id, their facts, a picture of a moment.

Hashing reads the file in a thread; decoding is asked of the query worker, never done here.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec

from shared.domain import Probe
from shared.query.ask import Asker

PROBE_TIMEOUT_S = 20.0
GRAB_TIMEOUT_S = 20.0
AT_ONCE = 8  # files of one request that are worked on at the same time

T = TypeVar("T")
R = TypeVar("R")


async def in_order(work: Callable[[T], Awaitable[R]], things: Sequence[T]) -> list[R]:
    """Results in the order of `things`, a few at a time; the first error stops it all."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(thing: T) -> R:
        async with gate:
            return await work(thing)

    tasks = [asyncio.create_task(one(thing)) for thing in things]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def probe(asker: Asker, path: str) -> Probe:
    """What the container says. Raises MediaError or Unavailable."""
    found = await asker.ask("probe", {"path": path}, PROBE_TIMEOUT_S)
    return msgspec.convert(found, Probe)


async def grab(asker: Asker, path: str, seconds: float, long_side: int) -> bytes:
    """JPEG of the frame shown at that time. Raises MediaError, BadInput or Unavailable."""
    payload: dict[str, Any] = {"path": path, "seconds": seconds, "long_side": long_side}
    found = await asker.ask("grab", payload, GRAB_TIMEOUT_S)
    return base64.b64decode(found["jpeg"])
