"""Webhooks that are subscribed, and the hosts that they may be sent to.

They lie in Redis, where the ledger's scripts read who wants what, and, against its loss, in
STATE_DIR/webhooks.json.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import redis

from shared.errors import AlreadySubscribed, BadInput, Missing
from shared.printable import printable
from shared.redis.kept_hash import KeptHash, decode_entries
from shared.webhooks.events import WebhookEvent

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


MOST = 100


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver and what it is told of."""

    id: str
    url: str
    secret: str  # whsec_ and base64, as Standard Webhooks have it; never answered
    events: tuple[WebhookEvent, ...]
    owner: str  # id of the licence key that made it
    roots: tuple[str, ...] | None = None  # of that key: it is told of nothing outside
    created_at: float


class Webhooks:
    """The webhooks of one instance. `client` must decode responses."""

    def __init__(self, client: redis.Redis, instance: str, state_dir: Path) -> None:
        path = state_dir / "webhooks.json"
        self._kept = KeptHash(client, instance, "webhooks", path, "webhooks")

    def add(
        self,
        url: str,
        secret: str,
        events: tuple[WebhookEvent, ...],
        owner: str,
        roots: tuple[str, ...] | None = None,
    ) -> Webhook:
        """Subscribe. Raises AlreadySubscribed, and BadInput where there are too many."""
        hook = Webhook(
            id=secrets.token_hex(8),
            url=url,
            secret=secret,
            events=events,
            owner=owner,
            roots=roots,
            created_at=round(time.time(), 3),
        )
        with self._kept.changing() as hooks:
            if len(hooks) >= MOST:
                raise BadInput(f"There are {MOST} webhooks already; remove one first.")
            for other in decode_entries(hooks, Webhook).values():
                same = (url, secret, set(events), roots)
                if (other.url, other.secret, set(other.events), other.roots) == same:
                    raise AlreadySubscribed(
                        f"Webhook {other.id} sends the same events to this url with this secret."
                    )
            hooks[hook.id] = msgspec.json.encode(hook).decode()
        return hook

    def list(self) -> list[Webhook]:
        """All webhooks, oldest first."""
        hooks = self._kept.entries(Webhook).values()
        return sorted(hooks, key=lambda hook: hook.created_at)

    def get(self, hook_id: str) -> Webhook:
        """A webhook by its id. Raises Missing."""
        hook = self._kept.entry(hook_id, Webhook)
        if hook is None:
            raise Missing(f"There is no webhook {hook_id}.")
        return hook

    def bind_to_roots(self, roots_of: Mapping[str, tuple[str, ...] | None]) -> None:
        """Give webhooks of an earlier version the roots of their keys. `roots_of`: by owner."""

        def bind(raw: str) -> str:
            for hook in decode_entries({"": raw}, Webhook).values():
                if hook.roots is None and (roots := roots_of.get(hook.owner)) is not None:
                    hook = msgspec.structs.replace(hook, roots=roots)
                    return msgspec.json.encode(hook).decode()
            return raw

        self._kept.renew_all(bind)

    def remove(self, hook_id: str) -> None:
        """Take a webhook away. Raises Missing."""
        with self._kept.changing() as hooks:
            if hooks.pop(hook_id, None) is None:
                raise Missing(f"There is no webhook {hook_id}.")
