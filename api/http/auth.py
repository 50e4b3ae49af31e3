"""Who may call: the licence key of a request or a socket, and whether its tier is Pro."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool

from api.http.errors import KeyMissing, KeyRefused
from api.services import Services
from shared.redis.licence_keys import KeyRecord


async def authorise(services: Services, key: object) -> KeyRecord:
    """The record of a Pro key; blanks around it do not count. Raises KeyMissing and KeyRefused."""
    if not isinstance(key, str) or not key.strip():
        raise KeyMissing
    found = await run_in_threadpool(services.keys.find, key.strip())
    if found is None or found.tier != "pro":
        raise KeyRefused
    return found
