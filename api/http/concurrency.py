"""Work on several things of one request at the same time, such as its files."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from starlette.requests import ClientDisconnect

AT_ONCE = 8

T = TypeVar("T")
R = TypeVar("R")


async def _nobody_left() -> bool:
    return False


async def map_concurrently(
    work: Callable[[T], Awaitable[R]],
    things: Sequence[T],
    is_gone: Callable[[], Awaitable[bool]] = _nobody_left,
    *,
    at_once: int = AT_ONCE,
) -> list[R]:
    """Results in the order of `things`, a few at a time; the first error stops it all.

    So does a client who has left; `is_gone` says whether. Raises ClientDisconnect then.
    """
    found: dict[int, R] = {}
    numbered = iter(enumerate(things))

    async def some() -> None:
        for n, thing in numbered:
            if await is_gone():
                raise ClientDisconnect
            found[n] = await work(thing)

    tasks = [asyncio.create_task(some()) for _ in range(min(at_once, len(things)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
    return [found[n] for n in range(len(things))]
