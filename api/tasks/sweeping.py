"""Every API process sweeps the ledger: Items of dead workers are queued again."""

from __future__ import annotations

import asyncio
import logging

from starlette.concurrency import run_in_threadpool

from api.async_tasks import end
from api.services import Services
from shared.errors import RedisAway
from shared.ledger.ledger import SWEEP_EVERY_S

log = logging.getLogger(__name__)


class Sweeper:
    """`async with`: it sweeps."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._loop: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Sweeper:
        self._loop = asyncio.create_task(self._sweep_for_ever(), name="sweep")
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._loop is not None:
            await end(self._loop)

    async def _sweep_for_ever(self) -> None:
        is_away = False
        while True:
            try:
                await run_in_threadpool(self._sweep)
                if is_away:
                    log.warning("Redis answers again.")
                is_away = False
            except RedisAway as error:
                if not is_away:
                    log.warning("%s", error.message)
                is_away = True
            await asyncio.sleep(SWEEP_EVERY_S)

    def _sweep(self) -> None:
        jobs = self._services.ledger.sweep()
        self._services.jobs.enqueue(jobs)
