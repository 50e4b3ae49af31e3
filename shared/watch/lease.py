"""A lease for what one process does at a time: to be the active watcher, or to fetch weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import redis
from redis.commands.core import Script

from shared.redis.clients import key_prefix

LEASE = "watch:leader"  # holds the token of the active watcher, as all do that of their holder
LEASE_S = 8.0
_LUA = Path(__file__).parent / "lua"


def script(client: redis.Redis, name: str) -> Script:
    """One of lua/."""
    return client.register_script((_LUA / f"{name}.lua").read_text(encoding="utf-8"))


class SoleLease:
    """One lease of one instance, by its `name`. `client` must decode responses."""

    def __init__(self, client: redis.Redis, instance: str, name: str = LEASE) -> None:
        self._redis = client
        self._key = f"{key_prefix(instance)}{name}"
        self._take = script(client, "take")
        self._renew = script(client, "renew")
        self._leave = script(client, "leave")

    def acquire(self, token: str, ttl_s: float = LEASE_S) -> bool:
        """Become, or stay, the holder; False: another one is."""
        return bool(self._take(keys=[self._key], args=[token, int(ttl_s * 1000)]))

    def renew(self, token: str, ttl_s: float = LEASE_S) -> bool:
        """Stay the holder. False: it was lost, perhaps with all that was in Redis."""
        return bool(self._renew(keys=[self._key], args=[token, int(ttl_s * 1000)]))

    def release(self, token: str) -> None:
        """Another one may take it at once."""
        self._leave(keys=[self._key], args=[token])

    def holder(self) -> str | None:
        found: Any = self._redis.get(self._key)
        return found or None

    def is_held(self) -> bool:
        return bool(self._redis.exists(self._key))

    def redis_run(self) -> str:
        """Which start of Redis answers: another one may have lost what was written last."""
        return str(self._redis.info("server").get("run_id", ""))
