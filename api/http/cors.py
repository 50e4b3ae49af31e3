"""Cross-origin rules for HTTP and Socket.IO alike, as pure ASGI middleware around both."""

from __future__ import annotations

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.settings import Settings

_LOCAL = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?", re.IGNORECASE)
_OF_PANELS = {"null", "file://"}  # what web views of files on this machine send
_NO_DEFAULTS = "none"
_METHODS = "GET, POST, PUT, DELETE, OPTIONS"
_HEADERS = "Content-Type, X-License-Key, X-Request-Id"
_EXPOSED = "Content-Disposition, Retry-After, X-Request-Id, X-Rushes-Warnings"


class Origins:
    """Which origins may call: our own, those of this machine on loopback, RUSHES_CORS_ORIGINS."""

    def __init__(self, settings: Settings) -> None:
        self._listed = set(settings.cors_origins)
        if settings.public_url:  # ours; a proxy may call us by another name than its pages do
            self._listed.add(settings.public_url.removesuffix(settings.public_path))
        self._has_defaults = settings.is_loopback and _NO_DEFAULTS not in self._listed

    def allow(self, origin: str) -> bool:
        if self._has_defaults and (origin in _OF_PANELS or _LOCAL.fullmatch(origin)):
            return True
        return origin in self._listed or "*" in self._listed


class CorsMiddleware:
    """Answers preflights, marks allowed answers, refuses sockets from other origins."""

    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] in ("http", "websocket") else Headers()
        origin = headers.get("origin")
        if origin is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            if self._origins.allow(origin) or _is_same_host(origin, headers):
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008, "reason": "Origin refused"})
        elif scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await self._preflight(origin, headers, send)
        else:
            await self._app(scope, receive, self._marking(origin, send))

    async def _preflight(self, origin: str, asked: Headers, send: Send) -> None:
        allowed = self._origins.allow(origin)
        headers = MutableHeaders(raw=[])
        headers["Vary"] = "Origin"
        if allowed:
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Allow-Methods"] = _METHODS
            headers["Access-Control-Allow-Headers"] = _HEADERS
            headers["Access-Control-Max-Age"] = "600"
            if "access-control-request-private-network" in asked:
                headers["Access-Control-Allow-Private-Network"] = "true"
        status = 204 if allowed else 403
        await send({"type": "http.response.start", "status": status, "headers": headers.raw})
        await send({"type": "http.response.body", "body": b""})

    def _marking(self, origin: str, send: Send) -> Send:
        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.add_vary_header("Origin")
                if self._origins.allow(origin):
                    headers["Access-Control-Allow-Origin"] = origin
                    headers["Access-Control-Expose-Headers"] = _EXPOSED
            await send(message)

        return marked


def _is_same_host(origin: str, headers: Headers) -> bool:
    return origin.split("://", 1)[-1] == headers.get("host")
