"""What the API asks the active watcher to try again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import redis

from shared.redis.clients import key_prefix

_AT_ONCE = 1000


class RetryRequest(msgspec.Struct, frozen=True, kw_only=True):
    """New tries for failed files of a folder (`paths` None: for all); its root and cache folder
    are taken as they are now, where it waits because another one was there before."""

    folder_id: str
    paths: tuple[str, ...] | None = None  # in the server's form


class RetryRequests:
    """Requests of one instance, kept until a watcher takes them. `client` must decode responses."""

    def __init__(self, client: redis.Redis, instance: str) -> None:
        self._redis = client
        self._key = f"{key_prefix(instance)}watch:asks"

    def add(self, request: RetryRequest) -> None:
        self._redis.rpush(self._key, msgspec.json.encode(request))

    def pending(self) -> Sequence[RetryRequest]:
        """Oldest first. Each stays until it is removed."""
        raws: Any = self._redis.lrange(self._key, 0, _AT_ONCE)
        return [msgspec.json.decode(raw, type=RetryRequest) for raw in raws]

    def remove(self, request: RetryRequest) -> None:
        self._redis.lrem(self._key, 1, msgspec.json.encode(request).decode())
