"""The bodies of a socket's HTTP requests, as pure ASGI middleware around engineio."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.body_budget import BodyBudget
from api.http.errors import on_rushes_error
from shared.errors import RushesError


class RequestBodies:
    """Reads each of them whole before engineio does, which would wait for it for ever."""

    def __init__(self, app: ASGIApp, path: str, budget: BodyBudget) -> None:
        self._app = app
        self._path = path
        self._budget = budget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not f"{scope['path']}/".startswith(self._path):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            async with self._budget.body(request) as content:
                body = bytes(content)
        except ClientDisconnect:
            return
        except RushesError as error:
            await (await on_rushes_error(request, error))(scope, receive, send)
            return
        unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def received() -> Message:
            return unread.pop() if unread else await receive()

        await self._app(scope, received, send)
