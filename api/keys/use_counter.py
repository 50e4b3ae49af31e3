"""Counts the requests of each key in this process, and tells Redis now and then."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter

from starlette.concurrency import run_in_threadpool

from api.async_tasks import end
from shared.errors import RedisAway
from shared.redis.key_uses import KeyUses

log = logging.getLogger(__name__)
_WRITE_EVERY_S = 5.0


class UseCounter:
    """`async with`: it writes every few seconds, and at the end. Of the event loop's thread."""

    def __init__(self, uses: KeyUses) -> None:
        self._uses = uses
        self._requests: Counter[str] = Counter()
        self._seen_at: dict[str, float] = {}
        self._loop: asyncio.Task[None] | None = None

    def note(self, key_id: str) -> None:
        """Count a request."""
        self._requests[key_id] += 1
        self._seen_at[key_id] = time.time()

    async def __aenter__(self) -> UseCounter:
        self._loop = asyncio.create_task(self._write_for_ever(), name="key uses")
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._loop is not None:
            await end(self._loop)
        await self._write()

    async def _write_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_WRITE_EVERY_S)
            await self._write()

    async def _write(self) -> None:
        requests, seen_at = self._requests, self._seen_at
        if not requests:
            return
        self._requests, self._seen_at = Counter(), {}
        try:
            await run_in_threadpool(self._uses.add, requests, seen_at)
        except RedisAway as error:
            log.debug("Uses of keys are told later: %s", error.message)
            self._requests.update(requests)
            self._seen_at = seen_at | self._seen_at
