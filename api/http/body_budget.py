"""How many bodies are read at the same time, how large and how slow they may be."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starlette.requests import Request

from api.http.errors import BodiesFull, TooLarge, TooSlow
from api.http.unread_body import note_read

_WITHOUT_HEADER_MB = 64
_WITHOUT_HEADER_AT_ONCE = 4
_WITH_HEADER = 4  # bodies of the largest size together; smaller ones are more
_PLACE_S = 2.0  # others' bodies are through by then, where nobody dawdles
_SAY_HEADER = "send the key in the header X-License-Key"


@dataclass(slots=True, kw_only=True)
class BodyBudget:
    """Of one kind of callers of this process. What does not fit is refused with a sentence."""

    largest: int
    largest_said: str
    together: int
    pause_s: float  # between two pieces
    whole_s: float
    remedy: str = "try again in a moment"  # where there is no room
    places: asyncio.Semaphore | None = None
    _in_hand: int = field(default=0, init=False)

    @classmethod
    def with_header(cls, limit_mb: int) -> BodyBudget:
        """Of callers whose key has been accepted already."""
        return cls(
            largest=limit_mb << 20,
            largest_said=f"{limit_mb} MiB (RUSHES_MAX_BODY_MB)",
            together=(limit_mb << 20) * _WITH_HEADER,
            pause_s=30,
            whole_s=600,
        )

    @classmethod
    def without_header(cls, limit_mb: int) -> BodyBudget:
        """Of callers whose key is yet to be found in the body: anybody."""
        least = min(limit_mb, _WITHOUT_HEADER_MB)
        said = f"{limit_mb} MiB (RUSHES_MAX_BODY_MB)"
        return cls(
            largest=least << 20,
            largest_said=said if least == limit_mb else f"{least} MiB: {_SAY_HEADER}",
            together=_WITHOUT_HEADER_MB << 20,
            pause_s=10,
            whole_s=10,
            remedy=f"{_SAY_HEADER}, or try again in a moment",
            places=asyncio.Semaphore(_WITHOUT_HEADER_AT_ONCE),
        )

    @classmethod
    def of_sockets(cls, largest: int) -> BodyBudget:
        """Of the HTTP requests of Socket.IO, which anybody may send."""
        return cls(
            largest=largest,
            largest_said=f"{largest >> 10} KiB",
            together=_WITHOUT_HEADER_MB << 20,
            pause_s=10,
            whole_s=10,
        )

    @contextlib.asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytearray]:
        """The whole body, which takes room until the block is left.

        Raises TooLarge as soon as that is known, TooSlow, and BodiesFull where there is no room.
        """
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self.largest:
            raise self._too_large()
        content = bytearray()
        async with self._place():
            try:
                try:
                    await self._read(request, content)
                finally:
                    taken = len(content)  # before decoding, which may shorten it
                yield content
            finally:
                self._in_hand -= taken
                with contextlib.suppress(BufferError):  # part of it is still in use
                    content.clear()  # an error's traceback would hold it while the rest is drained

    async def _read(self, request: Request, content: bytearray) -> None:
        pieces = aiter(request.stream())
        try:
            async with asyncio.timeout(self.whole_s):
                while True:
                    async with asyncio.timeout(self.pause_s):
                        piece = await anext(pieces, None)
                    if piece is None:
                        break
                    self._take(content, piece)
        except TimeoutError:
            raise TooSlow(
                f"The request body did not arrive within {self.whole_s:g} s, or nothing of it for "
                f"{self.pause_s:g} s: send less at once, or over a faster connection."
            ) from None
        note_read(request.scope)

    def _take(self, content: bytearray, piece: bytes) -> None:
        if len(content) + len(piece) > self.largest:
            raise self._too_large()
        if self._in_hand + len(piece) > self.together:
            raise self._full()
        self._in_hand += len(piece)
        content += piece

    @contextlib.asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        if self.places is None:
            yield
            return
        try:
            async with asyncio.timeout(_PLACE_S):
                await self.places.acquire()
        except TimeoutError:
            raise self._full() from None
        try:
            yield
        finally:
            self.places.release()

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The request body is larger than {self.largest_said}.")

    def _full(self) -> BodiesFull:
        return BodiesFull(f"Too many request bodies are arriving at the same time: {self.remedy}.")
