"""Totals: numbers since Redis began, of what all processes share: they outlive every process.

Raised by the ledger's scripts in the step that makes them true (`count` in
lua/library/1_basics.lua), and by workers for what only they know. Read by /metrics.
"""

from __future__ import annotations

from collections.abc import Mapping

import redis

from shared.domain import ModelKind
from shared.redis.clients import key_prefix, translated

Name = tuple[str, ...]  # what is counted, then of what kind it is: ("files", "video", "done")


def totals_key(instance: str) -> str:
    """Key of the hash that holds all totals; its fields are names joined by colons."""
    return f"{key_prefix(instance)}totals"


def by_name(found: Mapping[str, str]) -> dict[Name, int]:
    """The totals by name, from the hash's fields."""
    return {tuple(field.split(":")): int(number) for field, number in found.items()}


class LoadCount:
    """Adds to the totals by how much the count of model loads of one process has grown."""

    def __init__(self, client: redis.Redis, instance: str) -> None:
        self._redis = client
        self._key = totals_key(instance)
        self._told: dict[ModelKind, int] = {}

    def tell(self, loads: Mapping[ModelKind, int]) -> None:
        """Add the model loads that are new to the totals. Raises RedisAway; then tell again.

        `loads`: of each kind since the process began.
        """
        counted = dict(loads)  # other threads load models meanwhile
        new = {kind: n - self._told.get(kind, 0) for kind, n in counted.items()}
        if not any(new.values()):
            return
        with translated(), self._redis.pipeline() as pipe:
            for kind, more in new.items():
                pipe.hincrby(self._key, f"model_loads:{kind}", more)
            pipe.execute()
        self._told = counted
