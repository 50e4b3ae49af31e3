"""Segments of previews: kept ones, and those that a query worker makes, each once at a time."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from anyio import to_thread

from api.query_client import QueryClient
from api.signed_addresses import Signed
from shared import private_files
from shared.errors import MediaUnreadable, Missing
from shared.query.messages import SEGMENT_S, Lane, MakePreview

log = logging.getLogger(__name__)
_SUFFIX = ".mp4"
_KEPT_SHARE = 0.9  # of the limit: what is left after a cleaning, so that not each one cleans
_LEFT_OVER_S = 3600.0  # a temporary file that is older belongs to nobody
_WITHIN_S = 30.0  # for one: its turn comes after those that were asked for before, two at a time
_AT_ONCE = 4  # of one file, so that who plays it leaves the others a turn
_ASK_S = 0.25  # how often it is asked whether a client has left


class SignedFile(Signed, frozen=True):
    """A media file in one state, and the licence key that may read it, which says where.

    `path`: our form; `size`: bytes; `modified_ns`: since 1970. With other content of the file, so
    what browsers have kept of it is not taken for what it is now.
    """

    path: str
    size: int
    modified_ns: int
    key_id: str

    def check(self, status: os.stat_result) -> None:
        """Raise Missing where the file has changed."""
        if (status.st_size, status.st_mtime_ns) != (self.size, self.modified_ns):
            raise Missing("The file has changed; ask for it again.")


class SignedOriginal(SignedFile, frozen=True):
    """A media file as it is. `media_type`: what it is served as."""

    media_type: str


class SignedPreview(SignedFile, frozen=True):
    """All segments of a preview. `seconds`: length of the file."""

    seconds: float
    has_picture: bool
    has_sound: bool


class KeptSegments:
    """Segments on disk, in a folder of this server's own; the least recently used go first.

    All methods block, and none raises: it only saves work.
    """

    def __init__(self, folder: Path, limit_mb: int) -> None:
        self._folder = folder
        self._limit = limit_mb << 20
        self._lock = threading.Lock()
        self._held: int | None = None  # bytes, as of the last cleaning and what came since
        self._is_refused = False

    def get(self, key: str) -> bytes | None:
        """What was kept under a key, if it is still there."""
        if not self._limit:
            return None
        path = self._path(key)
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        return content

    def keep(self, key: str, content: bytes) -> None:
        """Keep a segment, in place of others where there is no room; one larger than it is not.

        A disk that refuses is logged once.
        """
        if len(content) > self._limit:
            return
        try:
            private_files.make_private(self._folder)
            if self._has_room(len(content)):
                private_files.publish(self._path(key), content)
            self._is_refused = False
        except OSError as error:
            if not self._is_refused:
                log.warning("Previews are not kept: %s", error)
            self._is_refused = True
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                self.tidy(self._limit // 2)

    def tidy(self, limit: int | None = None) -> None:
        """Remove what is more than a number of bytes; None: than what may be kept."""
        with contextlib.suppress(OSError), self._lock:
            self._held = self._cleaned(self._limit if limit is None else limit)

    def _has_room(self, size: int) -> bool:
        """Whether so many bytes may be kept, which then count; removes others for them."""
        with self._lock:
            is_full = self._held is None or self._held + size > self._limit
            if is_full or private_files.spare_bytes(self._folder) < size:
                self._held = self._cleaned(self._limit, size)
                if private_files.spare_bytes(self._folder) < size:
                    return False
            self._held = (self._held or 0) + size
            return True

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(os.fsencode(key)).hexdigest()[:32]}{_SUFFIX}"

    def _cleaned(self, limit: int, size: int = 0) -> int:
        """Bytes that are left once the oldest are removed, so that `size` more have room.

        Other processes may do so, too.
        """
        found = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    status = entry.stat()
                    if entry.name.endswith(_SUFFIX):
                        found.append((status.st_mtime_ns, status.st_size, entry.path))
                    elif time.time() - status.st_mtime > _LEFT_OVER_S:
                        os.unlink(entry.path)
        held = sum(size for _, size, _ in found)
        most = max(0, min(limit, held + private_files.spare_bytes(self._folder)) - size)
        goal = most * _KEPT_SHARE if held > most else most
        for _, size, path in sorted(found):
            if held <= goal:
                break
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            held -= size
        return held


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
