"""The pictures of hits under signed addresses, for <img> and for caches of browsers."""

from __future__ import annotations

import zlib

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.http.endpoint import PREFIX
from api.search.frames.picture_addresses import PictureGone, SignedFrame
from api.search.frames.previews import read_previews
from api.services import Services
from shared.errors import BadInput

PATH = f"{PREFIX}/frames"
_LONGEST_TOKEN = 20_000  # a cache_dir and roots; what is longer was not given by us


def routes(services: Services) -> list[Route]:
    async def picture(request: Request) -> Response:
        token = request.path_params["token"]
        try:
            if len(token) > _LONGEST_TOKEN:
                raise PictureGone("There is no such picture; search again.")
            frame, left_s = await run_in_threadpool(services.picture_addresses.frame_of, token)
        except PictureGone as error:
            return JSONResponse({"error": "Not found", "message": str(error)}, 404)
        jpeg = await services.folders.run(frame.cache_dir, _jpeg, services, frame)
        if jpeg is None:
            message = "The frame is stored no more; analyze the file again."
            return JSONResponse({"error": "Not found", "message": message}, 404)
        tag = f'"{frame.hash_str}-{frame.second}-{zlib.crc32(jpeg):08x}"'
        headers = {"ETag": tag, "Cache-Control": f"private, max-age={left_s}"}
        known = (each.strip() for each in request.headers.get("if-none-match", "").split(","))
        if tag in known:
            return Response(status_code=304, headers=headers)
        return Response(jpeg, headers=headers, media_type="image/jpeg")

    return [Route(f"{PATH}/{{token}}", picture)]


def _jpeg(services: Services, frame: SignedFrame) -> bytes | None:
    caches = services.within(frame.roots).caches
    try:
        view = caches.open(frame.cache_dir)
    except BadInput:  # the folder is away
        return None
    return read_previews(view, [(frame.hash_str, frame.second)], caches.reader(view.cache))[0]
