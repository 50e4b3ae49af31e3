"""Webhooks over HTTP, for administrators."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from api.http.answers import counted
from api.http.endpoint import Call, Endpoint, RootsRule
from api.http.services import CoreServices
from api.webhooks.answers import (
    DeadMessagesMoved,
    DeadWebhookMessage,
    WebhookAnswer,
    WebhookList,
    WebhookRemoved,
    WebhookTested,
)
from api.webhooks.bodies import DeadMessagesBody, WebhookBody
from api.webhooks.delivery import Deliverer
from shared.errors import AlreadySubscribed, BadInput, Missing
from shared.rights import KeyScope
from shared.webhooks.events import TEST, Message
from shared.webhooks.outbox import Outbox
from shared.webhooks.subscriptions import Webhook, Webhooks, checked_url

_NO_SUCH = "None of these messages is there any more: they were sent again or dropped meanwhile."
_PREFIX = "whsec_"
_LEAST_SECRET, _MOST_SECRET = 24, 64  # bytes, of Standard Webhooks
_ID = "webhook_id"


@dataclass(frozen=True, slots=True)
class WebhookServices(CoreServices):
    """Subscriptions, and messages that wait."""

    webhooks: Webhooks
    outbox: Outbox


async def list_webhooks(call: Call[None], services: WebhookServices) -> WebhookList:
    """List the webhooks.

    With what waits, what the last try came to, and what was given up.
    """
    return await run_in_threadpool(_list, services)


def _list(services: WebhookServices) -> WebhookList:
    hooks = (hook for hook in services.webhooks.list() if services.paths.covers(hook.roots))
    return WebhookList([_answer(services, hook) for hook in hooks])


def _hook(services: WebhookServices, hook_id: str) -> Webhook:
    """Raise Missing also for one of a key that reaches beyond the roots of the request's key."""
    hook = services.webhooks.get(hook_id)
    if not services.paths.covers(hook.roots):
        raise Missing(f"There is no webhook {hook_id}.")
    return hook


async def create_webhook(call: Call[WebhookBody], services: WebhookServices) -> WebhookAnswer:
    """Subscribe a webhook.

    Messages are posted as JSON (`type`, `timestamp`, `data`), signed as Standard Webhooks have
    it (`webhook-id`, `webhook-timestamp`, `webhook-signature`), at least once each, for a day
    until the receiver answers 2xx. `webhook-id` is the same at every try. Of more than 10,000
    that wait the rest is told by its number alone (`webhook.dropped`).
    """
    body = call.body
    checked_url(body.url, services.settings.webhook_hosts)
    _check_secret(body.secret)
    events = tuple(dict.fromkeys(body.events))
    words = (body.url, body.secret, events, call.sender.owner, services.paths.key_roots)
    return await run_in_threadpool(_create, services, *words)


def _create(services: WebhookServices, *words: object) -> WebhookAnswer:
    return _answer(services, services.webhooks.add(*words))  # type: ignore[arg-type]


async def delete_webhook(call: Call[None], services: WebhookServices) -> WebhookRemoved:
    """Remove a webhook.

    What waits for it is dropped.
    """
    await run_in_threadpool(_remove, services, call.path[_ID])
    return WebhookRemoved("The webhook is removed, and what waited for it.")


def _remove(services: WebhookServices, hook_id: str) -> None:
    services.webhooks.remove(_hook(services, hook_id).id)
    services.outbox.forget(hook_id)


async def test_webhook(call: Call[None], services: WebhookServices) -> WebhookTested:
    """Try a webhook.

    Sends a message of the type `webhook.test` now, once.
    """
    hook = await run_in_threadpool(_hook, services, call.path[_ID])
    now = time.time()
    message = Message(f"{TEST}:{secrets.token_hex(8)}", TEST, now, {"webhook_id": hook.id})
    deliverer = await run_in_threadpool(Deliverer, services.settings.webhook_hosts)
    try:
        failure = await deliverer.deliver(hook, message)
    finally:
        await deliverer.close()
    said = "The receiver took it." if failure is None else failure.reason
    return WebhookTested(delivered=failure is None, message=said)


async def resend_dead_messages(
    call: Call[DeadMessagesBody], services: WebhookServices
) -> DeadMessagesMoved:
    """Send again what was given up.

    Each is tried for another day, with the id and the time that it had.
    """
    count = await run_in_threadpool(_take_dead, call, services, services.outbox.send_dead_again)
    said = f"{counted(count, 'message')} will be sent again." if count else _NO_SUCH
    return DeadMessagesMoved(message=said, count=count)


async def drop_dead_messages(
    call: Call[DeadMessagesBody], services: WebhookServices
) -> DeadMessagesMoved:
    """Forget what was given up."""
    count = await run_in_threadpool(_take_dead, call, services, services.outbox.drop_dead)
    said = f"{counted(count, 'message')} dropped." if count else _NO_SUCH
    return DeadMessagesMoved(message=said, count=count)


def _take_dead(
    call: Call[DeadMessagesBody],
    services: WebhookServices,
    take: Callable[[str, Collection[str] | None], int],
) -> int:
    hook = _hook(services, call.path[_ID])
    ids = call.body.message_ids
    return take(hook.id, None if ids is None else frozenset(ids))


def _check_secret(secret: str) -> None:
    try:
        content = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:
        content = b""
    if not secret.startswith(_PREFIX) or not _LEAST_SECRET <= len(content) <= _MOST_SECRET:
        raise BadInput(
            f"secret must be {_PREFIX} and {_LEAST_SECRET} to {_MOST_SECRET} random bytes in "
            "base64."
        )


def _answer(services: WebhookServices, hook: Webhook) -> WebhookAnswer:
    state = services.outbox.state(hook.id)
    dead = services.outbox.dead(hook.id) if state.dead else []
    return WebhookAnswer(
        id=hook.id,
        url=hook.url,
        events=list(hook.events),
        created_at=hook.created_at,
        waiting=state.waiting,
        dropped=state.dropped,
        last_sent_at=state.last_sent_at,
        last_error=state.last_error,
        dead=[
            DeadWebhookMessage(
                id=one.message.id,
                type=one.message.type,
                timestamp=one.message.timestamp,
                data=one.message.data,
                error=one.error,
            )
            for one in dead
        ],
    )


ENDPOINTS = (
    Endpoint("GET /webhooks", list_webhooks, "Webhooks", KeyScope.ADMIN, roots=RootsRule.FILTERED),
    Endpoint(
        "POST /webhooks",
        create_webhook,
        "Webhooks",
        KeyScope.ADMIN,
        roots=RootsRule.FILTERED,
        is_audited=True,
        status=201,
        errors={
            BadInput: "url: evil.example is not among the hosts of RUSHES_WEBHOOK_HOSTS. Possible "
            "are: mam.example.",
            AlreadySubscribed: "Webhook 5f2b9c0e1d3a4b67 sends the same events to this url with "
            "this secret.",
        },
    ),
    Endpoint(
        "DELETE /webhooks/{webhook_id}",
        delete_webhook,
        "Webhooks",
        KeyScope.ADMIN,
        is_audited=True,
        answer_example={"message": "The webhook is removed, and what waited for it."},
    ),
    Endpoint(
        "POST /webhooks/{webhook_id}/test",
        test_webhook,
        "Webhooks",
        KeyScope.ADMIN,
        answer_example={"message": "The receiver took it."},
    ),
    Endpoint(
        "POST /webhooks/{webhook_id}/dead/resend",
        resend_dead_messages,
        "Webhooks",
        KeyScope.ADMIN,
        is_audited=True,
        errors={BadInput: "message_ids must not be empty."},
        example={"message_ids": ...},
        answer_example={"message": "12 messages will be sent again."},
    ),
    Endpoint(
        "POST /webhooks/{webhook_id}/dead/drop",
        drop_dead_messages,
        "Webhooks",
        KeyScope.ADMIN,
        is_audited=True,
        errors={BadInput: "message_ids must not be empty."},
        example={"message_ids": ...},
        answer_example={"message": "12 messages dropped."},
    ),
)
