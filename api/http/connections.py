"""What stands around every request: limits of connections, the Host, the origin, pages' headers.

Connections are uvicorn's, with limits for the time and the size of a request's head. The others are
pure ASGI middleware around HTTP and, but for headers of pages, Socket.IO alike.
"""

from __future__ import annotations

import asyncio
import fnmatch
import ipaddress
import logging
import re
import socket
from urllib.parse import urlsplit

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.http.body_reading import BodyBudget
from api.http.errors import DrainingResponse, ErrorBody, is_unread, on_rushes_error
from shared.errors import RushesError
from shared.settings import Settings

HEAD_S = 10.0
READER_S = 60.0
_LARGEST_HEAD = 1 << 16
log = logging.getLogger(__name__)
_LOOPBACK = ("localhost", "*.localhost")  # browsers ask no network for these
_MOST_LOGGED = 100
_LOCAL = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?", re.IGNORECASE)
_OF_PANELS = {"null", "file://"}  # what web views of files on this machine send
_NO_DEFAULTS = "none"
_METHODS = "GET, POST, PUT, DELETE, OPTIONS"
_HEADERS = "Content-Type, X-License-Key, X-Request-Id"
_EXPOSED = "Content-Disposition, Retry-After, X-Request-Id, X-Rushes-Warnings"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_PAGE_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    # Over plain HTTP it is all that says of a GET that a page of ours has sent it.
    "Referrer-Policy": "same-origin",
}


class LimitedConnection(HttpToolsProtocol):
    """Ends where the head of a request takes longer than HEAD_S, or more than 64 KiB.

    So does one on which something else than a new request comes after an answer. Idle ones end by
    uvicorn's own timer, and while a request is served the time of its body is the reader's matter.
    A client that takes nothing of an answer for READER_S is cut off.
    """

    _head_timer: asyncio.TimerHandle | None = None
    _reader_timer: asyncio.TimerHandle | None = None
    _unparsed = 0  # bytes since the parser made something of them

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        self._reader_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._expect_head()
        self._unparsed += len(data)
        super().data_received(data)
        if self._unparsed > _LARGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is larger than 64 KiB.")

    def on_headers_complete(self) -> None:
        self._head_came()
        self._unparsed = 0
        self._note_host_of_url()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        super().on_body(body)

    def _note_host_of_url(self) -> None:
        """Add the host of a URL in absolute form to the headers, unless they name it already."""
        scheme, _, rest = self.url.partition(b"://")
        host = rest.partition(b"/")[0].lower()
        if scheme.isalpha() and host not in (v.lower() for n, v in self.headers if n == b"host"):
            self.headers.append((b"host", host))

    def _expect_head(self) -> None:
        is_serving = self.cycle is not None and not self.cycle.response_complete
        if self._head_timer is None and not is_serving:
            self._head_timer = self.loop.call_later(HEAD_S, self.timeout_keep_alive_handler)

    def _head_came(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        self._reader_came()
        super().resume_writing()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_reader()

    def _await_reader(self, last: int = 0) -> None:
        """Look again and again whether less is left of an answer than the `last` time."""
        self._reader_came()
        left = self.transport.get_write_buffer_size()
        if left and left == last:
            self.transport.abort()
        elif left:
            self._reader_timer = self.loop.call_later(READER_S, self._await_reader, left)

    def _reader_came(self) -> None:
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None


class Hosts:
    """The names of RUSHES_ALLOWED_HOSTS, RUSHES_PUBLIC_URL and this machine, and all addresses."""

    def __init__(self, settings: Settings) -> None:
        public = urlsplit(settings.public_url or "").hostname or ""
        machine = socket.gethostname()
        short = machine.partition(".")[0]
        own = (settings.host, public, machine, short, f"{short}.local")
        self._names = [name.lower() for name in (*_LOOPBACK, *own, *settings.allowed_hosts) if name]

    def allow(self, name: str) -> bool:
        """Return True if a request may call us so; `name`: without the port."""
        name = name.lower().removesuffix(".")
        return _is_address(name) or any(fnmatch.fnmatchcase(name, own) for own in self._names)


class HostCheck:
    """Refuses requests and sockets that call this server by a name that is not allowed.

    A web page can make a name of its own lead here (DNS rebinding): to the browser our answers are
    then the page's. Names of the public network can be registered, those of a local one can be
    claimed by any machine in it (mDNS, DHCP). So all but the machine's own must be listed in
    RUSHES_ALLOWED_HOSTS. This holds on loopback too: such a name may lead to 127.0.0.1 as well.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts
        self._logged: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        hosts = Headers(scope=scope).getlist("host")
        name = _without_port(hosts[0]) if hosts else ""
        if len(hosts) > 1:
            message = "The request names its host more than once. Send one Host header."
        elif not name or self._hosts.allow(name):  # without a name it is from no browser
            await self._app(scope, receive, send)
            return
        else:
            name = name[:100]
            message = f"This server is not called {name}: list that name in RUSHES_ALLOWED_HOSTS."
            self._log(name)
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "Host refused"})
            return
        body = msgspec.json.encode(ErrorBody("Host not allowed", message))
        kind = DrainingResponse if is_unread(scope) else Response
        await kind(body, 400, media_type="application/json")(scope, receive, send)

    def _log(self, name: str) -> None:
        """Once a name; strangers may make up more than are worth it."""
        if name not in self._logged and len(self._logged) < _MOST_LOGGED:
            self._logged.add(name)
            log.warning(
                "Requests for the host %r are refused; if it is this server, list that name in "
                "RUSHES_ALLOWED_HOSTS.",
                name,
            )


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.rpartition(".")[2].isdecimal()  # 127.1: no name that is registered ends so
    return True


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
            is_same_host = origin.split("://", 1)[-1] == headers.get("host")
            if is_same_host or self._origins.allow(origin):
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


class PageHeaders:
    """Pure ASGI middleware, so that errors have these headers too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        is_page = path == "/" or f"{path}/".startswith(("/console/", "/docs/"))

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_PAGE_HEADERS)
            await send(message)

        await self._app(scope, receive, headed if is_page else send)


class RequestBodies:
    """Reads bodies of a socket's requests whole before engineio does, which would wait for ever."""

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
