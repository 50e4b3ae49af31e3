"""How much Redis may still take, so that what would fill it is refused before all else fails."""

from __future__ import annotations

import math

import redis

_USABLE = 0.8  # of maxmemory; the rest is for what is not counted, and for searches


def room(client: redis.Redis) -> float:
    """Bytes until Redis is nearly full, below 0 where it is; infinite without a maxmemory."""
    memory = client.info("memory")
    most: int = memory.get("maxmemory", 0)
    return _USABLE * most - memory["used_memory"] if most else math.inf
