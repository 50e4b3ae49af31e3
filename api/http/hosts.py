"""Which names of this server a request may use, as pure ASGI middleware around HTTP and Socket.IO.

A web page can make a name of its own lead here (DNS rebinding): to the browser our answers are then
the page's. Names of the public network can be registered, those of a local one can be claimed by
any machine in it (mDNS, DHCP). So all but the machine's own must be listed in RUSHES_ALLOWED_HOSTS.
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
_LOOPBACK = ("localhost", "*.localhost")  # browsers ask no network for these
_MOST_LOGGED = 100


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
    """Refuses requests and sockets that call this server by a name that is not allowed."""

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
