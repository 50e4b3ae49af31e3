"""The files of the console: read at the start, compressed when they are first asked for."""

from __future__ import annotations

import functools
import gzip
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.opened_file_response import is_known

_FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
_PLAIN = "text/plain; charset=utf-8"
_NEVER_CHANGES = "public, max-age=31536000, immutable"  # what has a hash of itself in its name


@dataclass(frozen=True)
class ConsoleFile:
    """One file, as it is sent."""

    name: str  # below the folder
    content: bytes

    @property
    def headers(self) -> dict[str, str]:
        is_chunk = self.name.startswith("chunks/")
        return {
            "Content-Type": _TYPES.get(PurePosixPath(self.name).suffix, _PLAIN),
            "Cache-Control": _NEVER_CHANGES if is_chunk else "no-cache",
            "Vary": "Accept-Encoding",
        }

    @functools.cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()[:32]

    @functools.cached_property
    def compressed(self) -> bytes:
        return gzip.compress(self.content, mtime=0)


def routes() -> list[Route]:
    """`/` and `/console/…`, open to all: the files hold no data."""
    names = (path for path in _FOLDER.rglob("*") if path.is_file())
    files = {
        name: ConsoleFile(name, path.read_bytes())
        for path in names
        if (name := path.relative_to(_FOLDER).as_posix())
    }
    return [
        Route("/", _serving(lambda _: files["index.html"])),
        Route("/console/{name:path}", _serving(lambda asked: files[asked.path_params["name"]])),
    ]


def _serving(find: Callable[[Request], ConsoleFile]) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        try:
            file = find(request)
        except KeyError:
            raise HTTPException(404) from None
        content, headers, tag = file.content, file.headers, file.digest
        if "gzip" in request.headers.get("accept-encoding", ""):
            content, tag = file.compressed, f"{tag}-gzip"
            headers["Content-Encoding"] = "gzip"
        headers["ETag"] = f'"{tag}"'
        if is_known(request.headers, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers)

    return serve
