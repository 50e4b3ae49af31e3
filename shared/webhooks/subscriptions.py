"""Webhooks that are subscribed: in Redis, where the ledger's scripts read who wants what, and,
against its loss, in STATE_DIR/webhooks.json.
"""

from __future__ import annotations

import secrets
import time
from pathlib import Path

import msgspec
import redis

from shared.errors import BadInput, Missing
from shared.redis.kept_hash import KeptHash
from shared.webhooks.events import WebhookEvent

MOST = 100


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver and what it is told of."""

    id: str
    url: str
    secret: str  # whsec_ and base64, as Standard Webhooks have it; never answered
    events: tuple[WebhookEvent, ...]
    owner: str  # id of the licence key that made it
    created_at: float


class Webhooks:
    """The webhooks of one instance. `client` must decode responses."""

    def __init__(self, client: redis.Redis, instance: str, state_dir: Path) -> None:
        path = state_dir / "webhooks.json"
        self._kept = KeptHash(client, instance, "webhooks", path, "webhooks")

    def add(self, url: str, secret: str, events: tuple[WebhookEvent, ...], owner: str) -> Webhook:
        """Subscribe. Raises BadInput where there are too many."""
        hook = Webhook(
            id=secrets.token_hex(8),
            url=url,
            secret=secret,
            events=events,
            owner=owner,
            created_at=round(time.time(), 3),
        )
        with self._kept.changing() as hooks:
            if len(hooks) >= MOST:
                raise BadInput(f"There are {MOST} webhooks already; remove one first.")
            hooks[hook.id] = msgspec.json.encode(hook).decode()
        return hook

    def list(self) -> list[Webhook]:
        """All webhooks, oldest first."""
        found = [msgspec.json.decode(raw, type=Webhook) for raw in self._kept.all().values()]
        return sorted(found, key=lambda hook: hook.created_at)

    def get(self, hook_id: str) -> Webhook:
        """A webhook by its id. Raises Missing."""
        raw = self._kept.get(hook_id)
        if raw is None:
            raise Missing(f"There is no webhook {hook_id}.")
        return msgspec.json.decode(raw, type=Webhook)

    def remove(self, hook_id: str) -> None:
        """Take a webhook away. Raises Missing."""
        with self._kept.changing() as hooks:
            if hooks.pop(hook_id, None) is None:
                raise Missing(f"There is no webhook {hook_id}.")
