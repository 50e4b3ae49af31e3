"""A file of the roots as an answer, by ranges: opened already, and read in its folder's threads."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping
from email.utils import formatdate

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.folders import Folders
from shared.errors import FolderHangs
from shared.opening import OpenedFile

_log = logging.getLogger(__name__)
_PIECE = 1 << 18
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


def is_known(asked: Headers, tag: str) -> bool:
    """Whether who asks has what has this ETag. `asked`: the headers of the request.

    A proxy that compresses anew makes a tag weak, which is the same to who only reads.
    """
    known = asked.get("if-none-match", "").split(",")
    return tag in (each.strip().removeprefix("W/") for each in known)


async def opened_in(folders: Folders, path: str, work: Callable[[], OpenedFile]) -> OpenedFile:
    """What `work` opens at a path, in the threads of its folder. Raises as it, and FolderHangs.

    A file that opens when nobody waits for it any more is closed.
    """
    is_awaited = True

    def opened() -> OpenedFile:
        file = work()
        if not is_awaited:
            file.close()
        return file

    try:
        return await folders.run(os.path.dirname(path), opened)
    finally:
        is_awaited = False


class OpenedFileResponse(StreamingResponse):
    """Sends a file, or the one range of it that is asked for, and closes it; 304 and 416 too.

    Several ranges at once get the whole file, as RFC 9110 allows.
    """

    def __init__(
        self,
        file: OpenedFile,
        folders: Folders,
        asked: Headers,
        headers: Mapping[str, str],
        media_type: str,
    ) -> None:
        """`asked`: the headers of the request; `headers`: further ones of the answer."""
        self._file, self._folders = file, folders
        tag = f'"{file.status.st_mtime_ns:x}-{file.status.st_size:x}"'
        modified = formatdate(file.status.st_mtime, usegmt=True)
        size = file.status.st_size
        own = {
            "Accept-Ranges": "bytes",
            "ETag": tag,
            "Last-Modified": modified,
            "X-Accel-Buffering": "no",  # else nginx puts a gigabyte on its disk
        }
        status, start, end = 200, 0, size
        if is_known(asked, tag):
            status, end = 304, 0
        elif asked.get("if-range", tag) in (tag, modified) and "range" in asked:
            status, start, end = _range(asked["range"], size)
        if status in (206, 416):
            part = f"{start}-{end - 1}" if status == 206 else "*"
            own["Content-Range"] = f"bytes {part}/{size}"
        if status != 304:
            own["Content-Length"] = str(end - start)
        super().__init__(self._pieces(start, end), status, {**headers, **own}, media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["method"] == "HEAD":
                await send(
                    {
                        "type": "http.response.start",
                        "status": self.status_code,
                        "headers": self.raw_headers,
                    }
                )
                await send({"type": "http.response.body", "body": b""})
            else:
                await super().__call__(scope, receive, send)
        finally:
            self._folders.let_go(self._file.close)

    async def _pieces(self, at: int, end: int) -> AsyncIterator[bytes]:
        folder = os.path.dirname(self._file.path)
        while at < end:
            try:
                piece = await self._folders.run(
                    folder, os.pread, self._file.fd, min(_PIECE, end - at), at
                )
            except (OSError, FolderHangs) as error:
                _log.warning("%s could not be sent to its end: %s", self._file.path, error)
                raise ClientDisconnect from None  # who sees that bytes are missing
            if not piece:
                _log.warning("%s became shorter while it was sent", self._file.path)
                raise ClientDisconnect
            yield piece
            at += len(piece)


def _range(asked: str, size: int) -> tuple[int, int, int]:
    """Status, start and end (exclusive) of what is sent; 200 for what is no single range."""
    found = _RANGE.fullmatch(asked.replace(" ", ""))
    if found is None or not (found[1] or found[2]):
        return 200, 0, size
    if not found[1]:
        start, end = max(0, size - int(found[2])), size
    else:
        start, end = int(found[1]), min(size, int(found[2]) + 1 if found[2] else size)
        if found[2] and int(found[2]) < start:
            return 200, 0, size  # it is no range
    if start >= size:
        return 416, 0, 0
    return 206, start, end
