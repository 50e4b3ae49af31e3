"""Segments of previews: kept ones, and those that a query worker makes, each once at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from anyio import to_thread

from api.media.playback.kept_segments import KeptSegments
from api.media.playback.signed_files import SignedPreview
from api.query_client import QueryClient
from shared.errors import MediaUnreadable
from shared.query.messages import SEGMENT_S, Lane, MakePreview

_WITHIN_S = 30.0  # for one: its turn comes after those that were asked for before, two at a time
_AT_ONCE = 4  # of one file, so that who plays it leaves the others a turn
_ASK_S = 0.25  # how often it is asked whether a client has left


@dataclass(slots=True)
class _Making:
    """A segment that is being made, and how many wait for it."""

    task: asyncio.Task[bytes]
    waiting: int = 0


class Previews:
    """One per process."""

    def __init__(self, query_client: QueryClient, state_dir: Path, limit_mb: int) -> None:
        self._query_client = query_client
        self._kept = KeptSegments(state_dir / "previews", limit_mb)
        self._making: dict[str, _Making] = {}
        # Of each file whose segments are made; one is held by who waits for it or works.
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def tidy(self) -> None:
        """Remove what the limit leaves no room for any more. Blocks."""
        self._kept.tidy()

    async def segment(
        self,
        preview: SignedPreview,
        roots: tuple[str, ...] | None,
        number: int,
        is_gone: Callable[[], Awaitable[bool]],
    ) -> bytes | None:
        """A segment as MP4; None where the client has left before it was there.

        `roots`: of the licence key, in which the file lies; None: all. The work ends with the last
        client who waits for it. Raises what the worker raised, NoWorker and RedisAway.
        """
        key = (
            f"{preview.path} {preview.size} {preview.modified_ns} "
            f"{preview.has_picture:d}{preview.has_sound:d} {preview.seconds} {number}"
        )
        making = self._making.get(key)
        if making is None:
            asked = _question(preview, roots, number)
            making = _Making(asyncio.create_task(self._made(key, asked)))
            self._making[key] = making
        making.waiting += 1
        try:
            while True:
                await asyncio.wait({making.task}, timeout=_ASK_S)
                if making.task.done():
                    return making.task.result()
                if await is_gone():
                    return None
        finally:
            making.waiting -= 1
            if not making.waiting:
                del self._making[key]
                making.task.cancel()

    async def _made(self, key: str, asked: MakePreview) -> bytes:
        kept = await to_thread.run_sync(self._kept.get, key)
        if kept is not None:
            return kept
        turn = self._turns.setdefault(asked.path, asyncio.Semaphore(_AT_ONCE))
        try:
            async with turn:
                made = await self._query_client.ask(Lane.PREVIEW, asked, _WITHIN_S)
        except MediaUnreadable as error:
            raise MediaUnreadable(f"No preview can be made of this part. {error.message}") from None
        await to_thread.run_sync(self._kept.keep, key, made.mp4)
        return made.mp4


def _question(preview: SignedPreview, roots: tuple[str, ...] | None, number: int) -> MakePreview:
    begins = number * SEGMENT_S
    return MakePreview(
        path=preview.path,
        begins=begins,
        ends=min(begins + SEGMENT_S, preview.seconds),
        has_picture=preview.has_picture,
        has_sound=preview.has_sound,
        roots=roots,
    )
