"""Pure ASGI middleware: one log line a request, with the task it was about."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.logs import bound_task

log = logging.getLogger(__name__)
QUIET = frozenset(("/api/v1/health", "/api/v1/ready", "/metrics"))  # polled every few seconds


class RequestLog:
    """Logs method, path, status and milliseconds of every request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        began = time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with bound_task(None):
            try:
                await self._app(scope, receive, noted)
            finally:
                took_ms = (time.perf_counter() - began) * 1000
                level = logging.DEBUG if scope["path"] in QUIET else logging.INFO
                log.log(level, "%s %s %d %.0f ms", scope["method"], scope["path"], status, took_ms)
