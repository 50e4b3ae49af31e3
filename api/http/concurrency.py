"""Work on several things of one request at the same time, such as its files."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

AT_ONCE = 8

T = TypeVar("T")
R = TypeVar("R")


async def map_concurrently(work: Callable[[T], Awaitable[R]], things: Sequence[T]) -> list[R]:
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
