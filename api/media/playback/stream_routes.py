"""Footage under signed addresses, for <video> and MediaSource: originals and previews."""

from __future__ import annotations

import contextlib
import functools
import math
import os
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from api.http.auth import Access
from api.http.endpoint import PREFIX
from api.http.services import CoreServices
from api.media.playback.previews import Previews, SignedFile, SignedOriginal, SignedPreview
from api.opened_file_response import OpenedFileResponse, opened_in
from shared.errors import Missing, RushesError
from shared.opening import OpenedFile
from shared.query.messages import SEGMENT_S

ORIGINALS = f"{PREFIX}/media/original"
PREVIEWS = f"{PREFIX}/media/preview"
# Whatever a file holds, it is never a page of ours, nor part of one of others; `nosniff` is on
# every answer.
_GUARDED = {
    "Content-Disposition": "inline",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class StreamServices(CoreServices):
    """The keys of signed addresses, and previews."""

    access: Access
    previews: Previews


def routes(services: StreamServices) -> list[Route]:
    async def original(request: Request) -> Response:
        token = request.path_params["token"]
        signed, left_s = await run_in_threadpool(services.addresses.read, token, SignedOriginal)
        roots = await _roots(services, signed)
        opened = functools.partial(_opened, services, signed, roots)
        file = await opened_in(services.folders, signed.path, opened)
        headers = {**_GUARDED, "Cache-Control": f"private, max-age={left_s}"}
        kind = signed.media_type
        return OpenedFileResponse(file, services.folders, request.headers, headers, kind)

    async def preview(request: Request) -> Response:
        token = request.path_params["token"]
        signed, left_s = await run_in_threadpool(services.addresses.read, token, SignedPreview)
        number = _number(request.path_params["number"], signed)
        roots = await _roots(services, signed)
        folder = os.path.dirname(signed.path)
        await services.folders.run(folder, lambda: _opened(services, signed, roots).close())
        try:
            mp4 = await services.previews.segment(signed, roots, number, request.is_disconnected)
        except RushesError as error:
            error.message = services.paths.in_words(error.message)
            raise
        if mp4 is None:
            raise ClientDisconnect
        headers = {**_GUARDED, "Cache-Control": f"private, max-age={left_s}"}
        kind = "video/mp4" if signed.has_picture else "audio/mp4"
        return Response(mp4, headers=headers, media_type=kind)

    return [
        Route(f"{ORIGINALS}/{{token}}", original),
        Route(f"{PREVIEWS}/{{token}}/{{number}}", preview, methods=["GET"]),
    ]


def _number(asked: str, preview: SignedPreview) -> int:
    """Which segment to show. Raises Missing."""
    last = math.ceil(preview.seconds / SEGMENT_S) - 1
    if not (asked.isascii() and asked.isdecimal() and len(asked) <= 9 and int(asked) <= last):
        raise Missing(f"There is no such part of this preview: they are numbered from 0 to {last}.")
    return int(asked)


async def _roots(services: StreamServices, signed: SignedFile) -> tuple[str, ...] | None:
    """The roots of the licence key; None: all. Raises Missing where it is valid no more."""
    return (await run_in_threadpool(services.access.key_of_address, signed.key_id)).roots


def _opened(
    services: StreamServices, signed: SignedFile, roots: tuple[str, ...] | None
) -> OpenedFile:
    """The file as it was when its address was given. Raises MediaError, NotAllowed and Missing."""
    file = services.within(roots).paths.open_media(signed.path)
    with contextlib.ExitStack() as at_error:
        at_error.callback(file.close)
        signed.check(file.status)
        at_error.pop_all()
    return file
