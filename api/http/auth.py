"""Who may call: the licence key of a request or a socket, and whether its tier is Pro."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool

from api.http.errors import KeyMissing, KeyRefused
from api.services import Services


async def authorise(services: Services, key: object) -> None:
    """Raise KeyMissing or KeyRefused unless `key` is a Pro key; blanks around it do not count."""
    if not isinstance(key, str) or not key.strip():
        raise KeyMissing
    if await run_in_threadpool(services.keys.tier_of, key.strip()) != "pro":
        raise KeyRefused
