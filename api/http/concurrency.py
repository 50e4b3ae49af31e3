"""Work on the things of a batch, several at a time, each with its own error."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import ClientDisconnect

from shared.errors import ModelLoading, NoWorker, RedisAway, RushesError

AT_ONCE = 8

T = TypeVar("T")
R = TypeVar("R")
OUTAGES = (RedisAway, NoWorker, ModelLoading)  # of all things; a folder that hangs is one thing's
log = logging.getLogger(__name__)
_UNEXPECTED = "Something went wrong; the server's log says what."


async def nobody_left() -> bool:
    """Say that no client has hung up."""
    return False


async def map_concurrently(
    work: Callable[[T], Awaitable[R]],
    things: Sequence[T],
    is_gone: Callable[[], Awaitable[bool]] = nobody_left,
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


@dataclass(slots=True)
class Failure:
    """Why a thing failed; None where it did not."""

    reason: str | None = None


@contextmanager
def own_slot(thing: str, *ends_all: type[RushesError]) -> Iterator[Failure]:
    """Do something about one thing of a batch; errors `ends_all` are the whole request's.

    What nobody foresaw is logged with its cause.
    """
    failure = Failure()
    try:
        yield failure
    except ends_all:
        raise
    except RushesError as error:
        failure.reason = error.message
        if type(error) is RushesError:  # from a worker, which has logged what it was
            log.warning("%s failed: %s", thing, error.message)
            failure.reason = _UNEXPECTED
    except Exception as error:  # whatever decoders and damaged files raise: of this thing alone
        log.exception("%s failed: %s", thing, error)
        failure.reason = _UNEXPECTED
