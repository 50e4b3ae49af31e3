"""Links that sign a browser in, once: each stands for a licence key, by its id."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import Any

import redis

from shared.redis.clients import key_prefix, translated

TTL_S = 15 * 60


class ConsoleLinks:
    """Links of one instance, known by the hashes of their tokens, in Redis alone."""

    def __init__(self, client: redis.Redis, instance: str) -> None:
        """`client` must decode responses."""
        self._redis = client
        self._prefix = f"{key_prefix(instance)}console-link:"

    def make(self, key_id: str, address: str) -> tuple[str, float]:
        """A link below an address of the server, and the Unix second at which it ends.

        Its token stands behind the `#`, which browsers send to nobody.
        """
        token = secrets.token_urlsafe(32)
        with translated():
            self._redis.set(self._name(token), key_id, ex=TTL_S)
        return f"{address}/#link={token}", round(time.time()) + TTL_S

    def key_id(self, token: str) -> str | None:
        """Return the id of the key that a link stands for, as `take`, and leave the link unused."""
        with translated():
            key_id: Any = self._redis.get(self._name(token))
        return key_id or None

    def take(self, token: str) -> str | None:
        """The id of the key that a link stands for; None for one used, late or made up."""
        with translated():
            found: Any = self._redis.getdel(self._name(token))
        return found or None

    def _name(self, token: str) -> str:
        return self._prefix + hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
