"""Every API process sweeps the ledger: Items of dead workers are queued again."""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.concurrency import run_in_threadpool

from api.async_tasks import end
from api.services import Services
from api.tasks.progress import no_worker
from shared.domain import TaskKind
from shared.errors import RedisAway, RushesError
from shared.ledger.ledger import SWEEP_EVERY_S

_UNSERVED_S = 10.0  # longer than any worker takes to start again

log = logging.getLogger(__name__)


class Sweeper:
    """`async with`: it sweeps."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._loop: asyncio.Task[None] | None = None
        self._unserved_since: float | None = None
        self._has_renewed = False

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
        if not self._has_renewed:
            self._renew_records()
        jobs = self._services.ledger.sweep()
        self._services.jobs.enqueue(jobs)
        self._park_unserved()

    def _renew_records(self) -> None:
        """Bring keys and webhooks of earlier versions into today's form, once a start."""
        services = self._services
        try:
            services.keys.renew()
            roots_of = {key.id: key.roots for key in services.keys.list() if key.roots is not None}
            services.webhooks.bind_to_roots(roots_of)
        except RedisAway:
            raise
        except RushesError as error:
            log.warning("Keys and webhooks keep the form of the earlier version: %s", error.message)
        self._has_renewed = True

    def _park_unserved(self) -> None:
        """Without a worker for a while, the analysis that has the lock waits in nobody's way."""
        reason = no_worker(self._services, TaskKind.ANALYZE)
        now = time.monotonic()
        if reason is None:
            self._unserved_since = None
            return
        self._unserved_since = self._unserved_since or now
        if now - self._unserved_since < _UNSERVED_S:
            return
        holder = self._services.ledger.holder()
        if holder and self._services.ledger.park(holder, reason):
            log.warning("Task %s makes way: %s", holder, reason.message)
