"""Which hosts webhooks may be sent to, and the address behind a host's name."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from shared.errors import BadInput
from shared.printable import printable

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a webhook's URL leads: `address` is the one that was checked."""

    scheme: str
    host: str
    port: int
    path: str  # with the query
    address: str = ""


def checked_url(url: str, allowed: tuple[str, ...]) -> Target:
    """The parts of a URL. Raises BadInput for one that may not be sent to, saying what may."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise BadInput(f"url: {error}.") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise BadInput("url must begin with https:// or http:// and name a host.")
    if parts.username or parts.password:
        raise BadInput("url must hold no user name and no password.")
    host = parts.hostname.rstrip(".")
    if not any(_matches(host, one) for one in allowed):
        which = ", ".join(allowed) or "none, since that setting is empty"
        raise BadInput(
            f"url: {printable(host)} is not among the hosts of RUSHES_WEBHOOK_HOSTS. Possible are: "
            f"{which}."
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path)


def resolved(target: Target) -> Target:
    """The target with its address, which is to be connected to. Raises OSError, BadInput.

    Blocks. Addresses that no receiver has are refused, and this machine's own unless it was
    named as such.
    """
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    addresses = [str(each[4][0]) for each in found]
    address = next((one for one in addresses if _may_be_sent_to(one, target.host)), None)
    if address is None:
        raise BadInput(
            f"{target.host} leads to {', '.join(addresses)}: this machine itself, which only "
            "localhost and its own addresses name, or no receiver's address."
        )
    return replace(target, address=address)


def _may_be_sent_to(address: str, host: str) -> bool:
    kind = ipaddress.ip_address(address.partition("%")[0])
    if kind.is_loopback:
        return _names_this_machine(host)
    return not (kind.is_link_local or kind.is_multicast or kind.is_unspecified or kind.is_reserved)


def _matches(host: str, allowed: str) -> bool:
    host, allowed = host.lower(), allowed.lower().strip("[]")
    if allowed.startswith("*."):
        return host.endswith(allowed[1:])
    return host == allowed


def _names_this_machine(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
