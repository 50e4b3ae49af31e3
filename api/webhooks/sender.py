"""Sends what waits in the outboxes. Of all API processes one does, by a lease in Redis."""

from __future__ import annotations

import asyncio
import logging
import secrets

import redis
from starlette.concurrency import run_in_threadpool

from api.async_tasks import end
from api.webhooks.delivery import Deliverer, Undelivered
from shared.errors import RedisAway, RushesError
from shared.msgspec_decoding import decoded
from shared.settings import Settings
from shared.watch.live import SoleLease
from shared.webhooks.events import Message
from shared.webhooks.outbox import Outbox
from shared.webhooks.subscriptions import Webhook, Webhooks

log = logging.getLogger(__name__)
_LEASE = "webhooks:sender"
_LEASE_S = 10.0
_LOOK_EVERY_S = 1.0
_AT_ONCE = 20  # messages of one webhook that are read together
_LONGEST_PAUSE_S = 60.0  # of one whose receiver does not answer


class WebhookSender:
    """`async with`: it sends. Each webhook has a task of its own: a slow one delays no other."""

    def __init__(
        self, settings: Settings, client: redis.Redis, webhooks: Webhooks, outbox: Outbox
    ) -> None:
        self._hosts = settings.webhook_hosts
        self._webhooks = webhooks
        self._outbox = outbox
        self._lease = SoleLease(client, settings.instance, _LEASE)
        self._token = secrets.token_hex(8)
        self._tasks: dict[Webhook, asyncio.Task[None]] = {}
        self._deliverer: Deliverer | None = None
        self._loop: asyncio.Task[None] | None = None

    async def __aenter__(self) -> WebhookSender:
        if self._hosts:
            self._loop = asyncio.create_task(self._run(), name="webhooks")
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._loop is not None:
            await end(self._loop, *self._tasks.values())
            await self._leave()
        if self._deliverer is not None:
            await self._deliverer.close()

    async def _leave(self) -> None:
        try:
            await run_in_threadpool(self._lease.release, self._token)
        except RedisAway:
            return  # it ends by itself

    async def _run(self) -> None:
        while True:
            try:
                is_ours = await run_in_threadpool(self._lease.acquire, self._token, _LEASE_S)
                hooks = await run_in_threadpool(self._webhooks.list) if is_ours else []
                await self._keep(hooks)
            except RushesError as error:
                # Redis away, or a file of webhooks that cannot be read: said, and tried again.
                log.debug("Webhooks are looked at again later: %s", error.message)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _keep(self, hooks: list[Webhook]) -> None:
        """A task for each of these webhooks, and for no other."""
        gone = [hook for hook in self._tasks if hook not in hooks]
        await end(*(self._tasks.pop(hook) for hook in gone))
        for hook in hooks:
            if hook not in self._tasks or self._tasks[hook].done():
                self._tasks[hook] = asyncio.create_task(self._send_for_ever(hook))

    async def _send_for_ever(self, hook: Webhook) -> None:
        if self._deliverer is None:  # in a thread: it loads a library and all certificates
            self._deliverer = await run_in_threadpool(Deliverer, self._hosts)
        failures = 0
        while True:
            try:
                failures = await self._send_due(self._deliverer, hook, failures)
            except RedisAway as error:
                log.debug("Webhook %s goes on later: %s", hook.id, error.message)
            pause_s = min(_LOOK_EVERY_S * 2**failures, _LONGEST_PAUSE_S)
            await asyncio.sleep(pause_s)

    async def _send_due(self, deliverer: Deliverer, hook: Webhook, failures: int) -> int:
        """Send what is due while somebody answers; how often in a row nobody has.

        A message that is refused comes later by itself, and holds up no other.
        """
        while due := await run_in_threadpool(self._outbox.due, hook.id, _AT_ONCE):
            for raw in due:
                message = decoded(raw, Message)
                failure: Undelivered | None = Undelivered("It is no message.")
                if message is not None:
                    failure = await deliverer.deliver(hook, message)
                if failure is None:
                    await run_in_threadpool(self._outbox.sent, hook.id, raw)
                else:
                    await self._note_failure(hook, raw, failure)
                if failure is not None and failure.is_away:
                    return min(failures + 1, 10)
                failures = 0
        return failures

    async def _note_failure(self, hook: Webhook, raw: str, failure: Undelivered) -> None:
        log.warning("Webhook %s: %s was not received: %s", hook.id, raw[:60], failure.reason)
        await run_in_threadpool(self._outbox.failed, hook.id, raw, failure.reason)
