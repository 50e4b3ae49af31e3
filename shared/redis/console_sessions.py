"""Sign-ins of the console: random tokens that stand for a licence key, by its id.

A session is that of a browser; a link signs a browser in, once.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import Any

import msgspec
import redis

from shared.redis.clients import key_prefix

TTL_S = 7 * 86_400  # of a session, from its last use on
LINK_TTL_S = 15 * 60


class SessionRecord(msgspec.Struct, frozen=True):
    """A session without its token."""

    key_id: str
    created_at: float


class _Tokens:
    """Tokens of one instance, known by their hashes, in Redis alone."""

    kind: str

    def __init__(self, client: redis.Redis, instance: str) -> None:
        """`client` must decode responses."""
        self._redis = client
        self._prefix = f"{key_prefix(instance)}{self.kind}:"

    def _name(self, token: str) -> str:
        return self._prefix + hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class ConsoleSessions(_Tokens):
    """Sessions of one instance."""

    kind = "console-session"

    def begin(self, key_id: str) -> str:
        """The token of a new session. It is returned here once and can never be shown again."""
        token = secrets.token_urlsafe(32)
        record = SessionRecord(key_id, round(time.time(), 3))
        self._redis.set(self._name(token), msgspec.json.encode(record), ex=TTL_S)
        return token

    def key_id(self, token: str, *, is_use: bool = True) -> str | None:
        """The id of the key that a session stands for, None where it is over; a use prolongs it."""
        name = self._name(token)
        found: Any = self._redis.getex(name, ex=TTL_S) if is_use else self._redis.get(name)
        return msgspec.json.decode(found, type=SessionRecord).key_id if found else None

    def end(self, token: str) -> None:
        """End a session; one that is over already stays so."""
        self._redis.delete(self._name(token))


class ConsoleLinks(_Tokens):
    """Links of one instance that sign a browser in."""

    kind = "console-link"

    def make(self, key_id: str, address: str) -> tuple[str, float]:
        """A link below an address of the server, and the Unix second at which it ends.

        Its token stands behind the `#`, which browsers send to nobody.
        """
        token = secrets.token_urlsafe(32)
        self._redis.set(self._name(token), key_id, ex=LINK_TTL_S)
        return f"{address}/#link={token}", round(time.time()) + LINK_TTL_S

    def key_id(self, token: str) -> str | None:
        """Return the id of the key that a link stands for, as `take`, and leave the link unused."""
        found: Any = self._redis.get(self._name(token))
        return found or None

    def take(self, token: str) -> str | None:
        """The id of the key that a link stands for; None for one used, late or made up."""
        found: Any = self._redis.getdel(self._name(token))
        return found or None
