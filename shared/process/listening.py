"""Sockets of the API's address, and a sentence where it cannot be had."""

from __future__ import annotations

import errno
import socket
from typing import Any

from shared.errors import SettingsError
from shared.settings import Settings

_BACKLOG = 2048
_LOOPBACK = ("127.0.0.1", "localhost")
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class PortTaken(SettingsError):
    """Another program listens there; it may be ending."""


def listen(settings: Settings) -> list[socket.socket]:
    """A listening socket for every address of HOST; the caller closes them.

    Where HOST is 127.0.0.1, on ::1 too, where there is one: "localhost" may mean either.

    Raises PortTaken, or SettingsError for an address that is not this machine's.
    """
    opened: list[socket.socket] = []
    try:
        addresses = _addresses(settings)
        for place, (family, kind, protocol, address) in enumerate(addresses, 1):
            try:
                opened.append(_listening(family, kind, protocol, address))
            except OSError as error:  # "localhost" on a machine without IPv6
                is_last = place == len(addresses) and not opened
                if error.errno not in _NOT_HERE or is_last:
                    raise
    except (OSError, UnicodeError) as error:  # a name such as a..b
        for one in opened:
            one.close()
        raise _refusal(settings, error) from error
    return opened


def _listening(family: int, kind: int, protocol: int, address: Any) -> socket.socket:
    one = socket.socket(family, kind, protocol)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # as asyncio does it: IPv4 has a socket of its own
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
        one.listen(_BACKLOG)  # two that are only bound would not hinder each other
    except OSError:
        one.close()
        raise
    return one


def _addresses(settings: Settings) -> list[tuple[int, int, int, Any]]:
    hosts = [settings.host.strip("[]"), *(["::1"] if settings.host in _LOOPBACK else [])]
    found = [address for host in hosts for address in _resolved(host, settings.port)]
    return list(dict.fromkeys((family, kind, proto, at) for family, kind, proto, _, at in found))


def _resolved(host: str, port: int) -> list[Any]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror:
        if host != "::1":
            raise
        return []  # a system without IPv6


def _refusal(settings: Settings, error: OSError | UnicodeError) -> SettingsError:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return PortTaken(
            f"Port {settings.port} on {settings.host} is taken by another program: stop that one, "
            "or choose another port with RUSHES_PORT."
        )
    return SettingsError(
        f"The API cannot listen on {settings.host}, port {settings.port} ({error}): mend "
        "RUSHES_HOST or RUSHES_PORT."
    )
