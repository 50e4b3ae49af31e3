"""Webhooks that are subscribed: in Redis, where the ledger's scripts read who wants what, and,
against its loss, in STATE_DIR/webhooks.json.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import redis

from shared.errors import AlreadySubscribed, BadInput, Missing
from shared.redis.kept_hash import KeptHash, decode_entries
from shared.webhooks.events import WebhookEvent

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
