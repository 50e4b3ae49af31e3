"""How much each licence key is used: requests, when last, and seconds of footage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import redis

from shared.redis.clients import key_prefix


class KeyUse(msgspec.Struct, frozen=True):
    """Since the key was made, or since Redis was empty."""

    requests: int = 0
    last_seen_at: float | None = None
    footage_seconds: float = 0.0  # that were analyzed for it, each kind of analysis by itself


class KeyUses:
    """Uses of the keys of one instance. The ledger counts footage (count_footage.lua)."""

    def __init__(self, client: redis.Redis, instance: str) -> None:
        self._redis = client
        self._prefix = f"{key_prefix(instance)}key-use:"

    def add(self, requests: Mapping[str, int], seen_at: Mapping[str, float]) -> None:
        """Count requests, by key id. Raises RedisAway."""
        with self._redis.pipeline(transaction=False) as pipe:
            for key_id, count in requests.items():
                pipe.hincrby(self._prefix + key_id, "requests", count)
                pipe.hset(self._prefix + key_id, "seen", round(seen_at[key_id], 3))
            pipe.execute()

    def of(self, key_ids: Sequence[str]) -> list[KeyUse]:
        """The uses of keys, in order. Raises RedisAway."""
        with self._redis.pipeline(transaction=False) as pipe:
            for key_id in key_ids:
                pipe.hmget(self._prefix + key_id, "requests", "seen", "footage_ms")
            found: list[Any] = pipe.execute()
        return [
            KeyUse(int(count or 0), float(seen) if seen else None, int(footage or 0) / 1000)
            for count, seen, footage in found
        ]

    def forget(self, key_id: str) -> None:
        """Drop what is known of a key that is no more. Raises RedisAway."""
        self._redis.delete(self._prefix + key_id)
