"""Every API process sweeps the ledger: Items of dead workers are queued again."""

from __future__ import annotations

import asyncio
import functools
import logging
import time

from starlette.concurrency import run_in_threadpool

from api.async_tasks import end
from api.http.services import CoreServices
from api.tasks.progress import no_worker
from shared.domain import TaskKind
from shared.errors import RedisAway, RushesError
from shared.ledger.ledger import SWEEP_EVERY_S
from shared.redis.licence_keys import Keys
from shared.webhooks.subscriptions import Webhooks

_UNSERVED_S = 10.0  # longer than any worker takes to start again
_RENEW_EVERY_S = 60.0  # a file may be locked

log = logging.getLogger(__name__)
_warn_once = functools.lru_cache(1000)(log.warning)


class Sweeper:
    """`async with`: it sweeps."""

    def __init__(self, services: CoreServices, keys: Keys, webhooks: Webhooks) -> None:
        self._services = services
        self._keys = keys
        self._webhooks = webhooks
        self._loop: asyncio.Task[None] | None = None
        self._unserved_since: float | None = None
        self._renew_at = 0.0

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
        if time.monotonic() >= self._renew_at:
            self._renew_records()
        jobs = self._services.ledger.sweep()
        self._services.jobs.enqueue(jobs)
        self._park_unserved()

    def _renew_records(self) -> None:
        """Bring webhooks of earlier versions into today's form; end tasks of a queue of theirs."""
        ledger = self._services.ledger
        for task_id in ledger.open_tasks(TaskKind.INGEST, "scenes"):  # no worker takes them
            ledger.stop(task_id)
        try:
            self._bind_webhooks()
        except RedisAway:
            raise
        except RushesError as error:
            _warn_once("Records of an earlier version are not all rewritten: %s", error.message)
        self._renew_at = time.monotonic() + _RENEW_EVERY_S

    def _bind_webhooks(self) -> None:
        roots_of = {key.id: key.roots for key in self._keys.list()}
        for hook in self._webhooks.list():
            if hook.roots is None and hook.owner and hook.owner not in roots_of:
                _warn_once(
                    "The licence key %s of webhook %s no longer exists. If it had roots, remove "
                    "the webhook and make it again: it receives messages about all folders.",
                    hook.owner,
                    hook.id,
                )
        self._webhooks.bind_to_roots(roots_of)

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
