"""Which names of this server a request may use, as pure ASGI middleware around HTTP and Socket.IO.

A web page can make a name of its own lead here (DNS rebinding): to the browser our answers are then
the page's. So a name that anybody can register must be listed in RUSHES_ALLOWED_HOSTS.
This holds on loopback too: such a name may lead to 127.0.0.1 as well.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import logging
import socket
from urllib.parse import urlsplit

import msgspec
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.errors import ErrorBody
from api.http.unread_body import DrainingResponse, is_unread
from shared.settings import Settings

log = logging.getLogger(__name__)
# Nobody can register a name below these, nor one without a dot.
_PRIVATE = (".localhost", ".local", ".internal", ".home.arpa", ".lan", ".test", ".svc")
_MOST_LOGGED = 100


class Hosts:
    """By RUSHES_ALLOWED_HOSTS and RUSHES_PUBLIC_URL, besides addresses and private names."""

    def __init__(self, settings: Settings) -> None:
        public = urlsplit(settings.public_url or "").hostname or ""
        own = (settings.host, socket.gethostname(), public)
        self._listed = tuple(name.lower() for name in (*settings.allowed_hosts, *own))

    def allow(self, name: str) -> bool:
        """Whether a request may call us so; `name`: without the port, "" where there is none."""
        name = name.lower().removesuffix(".")
        if "." not in name or name.endswith(_PRIVATE) or _is_address(name):
            return True
        return any(fnmatch.fnmatchcase(name, listed) for listed in self._listed)


class HostCheck:
    """Refuses requests and sockets that call this server by a name that is not allowed."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts
        self._logged: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        name = _without_port(Headers(scope=scope).get("host", ""))
        if self._hosts.allow(name):
            await self._app(scope, receive, send)
            return
        message = f"This server is not called {name[:100]}: list that name in RUSHES_ALLOWED_HOSTS."
        self._log(name[:100])
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
