"""The pictures of hits under signed addresses, for <img> and for caches of browsers."""

from __future__ import annotations

import zlib

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.http.endpoint import PREFIX
from api.opened_file_response import is_known
from api.search.frames.previews import SignedFrame, read_previews
from api.search.services import SearchServices
from shared.errors import BadInput, Missing

PATH = f"{PREFIX}/frames"
KEY_KEPT_S = 60.0  # a page shows hundreds, and reading a key reads them all


def routes(services: SearchServices) -> list[Route]:
    async def picture(request: Request) -> Response:
        token = request.path_params["token"]
        frame, left_s = await run_in_threadpool(services.addresses.read, token, SignedFrame)
        if frame.key_id:
            await run_in_threadpool(services.access.key_of_address, frame.key_id, KEY_KEPT_S)
        second = _second(request.query_params.get("second"), frame)
        jpeg = await services.folders.run(frame.cache_dir, _jpeg, services, frame, second)
        if jpeg is None:
            raise Missing("The frame is stored no more; analyze the file again.")
        tag = f'"{frame.hash_str}-{second}-{zlib.crc32(jpeg):08x}"'
        headers = {"ETag": tag, "Cache-Control": f"private, max-age={left_s}"}
        if is_known(request.headers, tag):
            return Response(status_code=304, headers=headers)
        return Response(jpeg, headers=headers, media_type="image/jpeg")

    return [Route(f"{PATH}/{{token}}", picture)]


def _second(asked: str | None, frame: SignedFrame) -> int:
    """Which second to show. Raises BadInput and Missing."""
    if asked is None:
        return frame.second
    if not asked.isdecimal() or len(asked) > 9:
        raise BadInput("second must be a whole number of seconds, such as 12.")
    if not frame.first_second <= int(asked) < frame.end_second:
        raise Missing(
            f"second: this address shows the seconds from {frame.first_second} to "
            f"{frame.end_second - 1}."
        )
    return int(asked)


def _jpeg(services: SearchServices, frame: SignedFrame, second: int) -> bytes | None:
    caches = services.within(frame.roots).caches
    try:
        view = caches.open(frame.cache_dir)
    except BadInput:  # the folder is away
        return None
    return read_previews(view, [(frame.hash_str, second)], caches.reader(view.cache))[0]
