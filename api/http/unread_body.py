"""An answer that is given before the request's body was read (RFC 9112, 9.6)."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

DRAIN_S = 1.0
_READ = "rushes.body_read"


def note_read(scope: Scope) -> None:
    """Say that the whole body of this request was read."""
    scope[_READ] = True


def is_unread(scope: Scope) -> bool:
    """Whether this request has a body of which something may still arrive."""
    headers = Headers(scope=scope)
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    return has_body and not scope.get(_READ, False)


class DrainingResponse(Response):
    """Answers, drains the body for a moment, then closes the connection.

    Closing at once would reset the connection of a client that is still sending, before it has
    read the answer.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers["Connection"] = "close"
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while (await receive()).get("more_body", False):
                    pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})
