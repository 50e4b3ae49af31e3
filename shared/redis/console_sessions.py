"""Sessions of the console: a random token of a browser stands for a licence key, by its id."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import Any

import msgspec
import redis

from shared.redis.clients import key_prefix, translated

TTL_S = 7 * 86_400  # from its last use on


class SessionRecord(msgspec.Struct, frozen=True):
    """A session without its token."""

    key_id: str
    created_at: float


class ConsoleSessions:
    """Sessions of one instance, known by the hashes of their tokens, in Redis alone."""

    def __init__(self, client: redis.Redis, instance: str) -> None:
        """`client` must decode responses."""
        self._redis = client
        self._prefix = f"{key_prefix(instance)}console-session:"

    def begin(self, key_id: str) -> str:
        """The token of a new session. It is returned here once and can never be shown again."""
        token = secrets.token_urlsafe(32)
        record = SessionRecord(key_id, round(time.time(), 3))
        with translated():
            self._redis.set(self._name(token), msgspec.json.encode(record), ex=TTL_S)
        return token

    def key_id(self, token: str, *, is_use: bool = True) -> str | None:
        """The id of the key that a session stands for, None where it is over; a use prolongs it."""
        name = self._name(token)
        with translated():
            found: Any = self._redis.getex(name, ex=TTL_S) if is_use else self._redis.get(name)
        return msgspec.json.decode(found, type=SessionRecord).key_id if found else None

    def end(self, token: str) -> None:
        """End a session; one that is over already stays so."""
        with translated():
            self._redis.delete(self._name(token))

    def _name(self, token: str) -> str:
        return self._prefix + hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
