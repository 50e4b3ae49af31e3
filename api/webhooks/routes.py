"""Webhooks over HTTP, for administrators."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from starlette.concurrency import run_in_threadpool

from api.http.answers import Count, Message, Moment, counted
from api.http.bodies import LONGEST_PATH, Keyed, Word
from api.http.endpoint import Call, Endpoint, RootsRule
from api.http.services import CoreServices
from api.webhooks.delivery import Deliverer
from shared.errors import AlreadySubscribed, BadInput, Missing
from shared.rights import KeyScope
from shared.webhooks import events
from shared.webhooks.events import MOST_DEAD, TEST, WebhookEvent
from shared.webhooks.outbox import Outbox
from shared.webhooks.subscriptions import Webhook, Webhooks, checked_url

_NO_SUCH = "None of these messages is there any more: they were sent again or dropped meanwhile."
_PREFIX = "whsec_"
_LEAST_SECRET, _MOST_SECRET = 24, 64  # bytes, of Standard Webhooks
_ID = "webhook_id"


class DeadWebhookMessage(Struct, kw_only=True):
    """A message that was given up after a day."""

    id: Annotated[str, Meta(examples=["task.ended:8f14e45f"])]
    """Of the message."""
    type: Annotated[str, Meta(examples=["task.ended"])]
    """Of the event."""
    timestamp: Moment
    data: Annotated[dict[str, Any], Meta(examples=[{"status": "completed"}])]
    """What was to be told."""
    error: Annotated[str, Meta(examples=["It answered 500."])]
    """Why the last try failed."""


class WebhookAnswer(Struct, kw_only=True):
    """A webhook; its secret is never shown."""

    id: Annotated[str, Meta(examples=["5f2b9c0e1d3a4b67"])]
    """Id of the webhook."""
    url: Annotated[str, Meta(examples=["https://mam.example/hooks/rushes"])]
    """Of the receiver."""
    events: Annotated[list[WebhookEvent], Meta(examples=[["task.ended", "file.failed"]])]
    """What it is told of."""
    created_at: Moment
    waiting: Count
    dropped: Count
    last_sent_at: Moment | None
    last_error: Annotated[str, Meta(examples=["No answer."])] | None
    """Why the last try failed; null when fine."""
    dead: list[DeadWebhookMessage]
    """Given up after a day, the newest first."""


class WebhookList(Struct):
    """All webhooks, the oldest first."""

    webhooks: list[WebhookAnswer]
    """Each with how its sending goes."""


class WebhookRemoved(Struct):
    """A webhook is no more."""

    message: Message


class WebhookTested(Struct, kw_only=True):
    """What became of a test message."""

    delivered: Annotated[bool, Meta(examples=[True])]
    """The receiver took it."""
    message: Message


class DeadMessagesMoved(Struct, kw_only=True):
    """What became of messages that were given up."""

    message: Message
    count: Count


class WebhookBody(Keyed, kw_only=True):
    """Who is to be told of what."""

    url: Annotated[
        str,
        Meta(min_length=1, max_length=LONGEST_PATH, examples=["https://mam.example/hooks/rushes"]),
    ]
    """Where messages are posted to; its host must be among those of RUSHES_WEBHOOK_HOSTS. Redirects
    are not followed."""
    secret: Annotated[Word, Meta(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])]
    """Signs the messages, as Standard Webhooks have it: `whsec_` and 24 to 64 bytes in base64. It
    is never answered."""
    events: Annotated[
        list[WebhookEvent],
        Meta(min_length=1, max_length=len(WebhookEvent), examples=[["task.ended", "file.failed"]]),
    ]
    """What it is told of."""


class DeadMessagesBody(Keyed, kw_only=True):
    """Which of the messages that were given up."""

    message_ids: (
        Annotated[
            list[Word],
            Meta(
                min_length=1,
                max_length=MOST_DEAD,
                examples=[["task.ended:8f14e45fceea167a5a36dedd4bea2543"]],
            ),
        ]
        | None
    ) = None
    """Their ids, as /webhooks lists them in `dead`; left out: all."""


@dataclass(frozen=True, slots=True)
class WebhookServices(CoreServices):
    """Subscriptions, and messages that wait."""

    webhooks: Webhooks
    outbox: Outbox


def list_webhooks(call: Call[None], services: WebhookServices) -> WebhookList:
    """List the webhooks.

    With what waits, what the last try came to, and what was given up.
    """
    hooks = (hook for hook in services.webhooks.list() if services.paths.covers(hook.roots))
    return WebhookList([_answer(services, hook) for hook in hooks])


def _hook(services: WebhookServices, hook_id: str) -> Webhook:
    """Raise Missing also for one of a key that reaches beyond the roots of the request's key."""
    hook = services.webhooks.get(hook_id)
    if not services.paths.covers(hook.roots):
        raise Missing(f"There is no webhook {hook_id}.")
    return hook


def create_webhook(call: Call[WebhookBody], services: WebhookServices) -> WebhookAnswer:
    """Subscribe a webhook.

    Messages are posted as JSON (`type`, `timestamp`, `data`), signed as Standard Webhooks have
    it (`webhook-id`, `webhook-timestamp`, `webhook-signature`), at least once each, for a day
    until the receiver answers 2xx. `webhook-id` is the same at every try. Of more than 10,000
    that wait the rest is told by its number alone (`webhook.dropped`).
    """
    body = call.body
    checked_url(body.url, services.settings.webhook_hosts)
    _check_secret(body.secret)
    hook = services.webhooks.add(
        body.url,
        body.secret,
        tuple(dict.fromkeys(body.events)),
        call.sender.owner,
        services.paths.key_roots,
    )
    return _answer(services, hook)


def delete_webhook(call: Call[None], services: WebhookServices) -> WebhookRemoved:
    """Remove a webhook.

    What waits for it is dropped.
    """
    hook = _hook(services, call.path[_ID])
    services.webhooks.remove(hook.id)
    services.outbox.forget(hook.id)
    return WebhookRemoved("The webhook is removed, and what waited for it.")


async def test_webhook(call: Call[None], services: WebhookServices) -> WebhookTested:
    """Try a webhook.

    Sends a message of the type `webhook.test` now, once.
    """
    hook = await run_in_threadpool(_hook, services, call.path[_ID])
    now = time.time()
    message = events.Message(f"{TEST}:{secrets.token_hex(8)}", TEST, now, {"webhook_id": hook.id})
    deliverer = await run_in_threadpool(Deliverer, services.settings.webhook_hosts)
    try:
        failure = await deliverer.deliver(hook, message)
    finally:
        await deliverer.close()
    said = "The receiver took it." if failure is None else failure.reason
    return WebhookTested(delivered=failure is None, message=said)


def resend_dead_messages(
    call: Call[DeadMessagesBody], services: WebhookServices
) -> DeadMessagesMoved:
    """Send again what was given up.

    Each is tried for another day, with the id and the time that it had.
    """
    count = _take_dead(call, services, services.outbox.send_dead_again)
    said = f"{counted(count, 'message')} will be sent again." if count else _NO_SUCH
    return DeadMessagesMoved(message=said, count=count)


def drop_dead_messages(
    call: Call[DeadMessagesBody], services: WebhookServices
) -> DeadMessagesMoved:
    """Forget what was given up."""
    count = _take_dead(call, services, services.outbox.drop_dead)
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
            DeadWebhookMessage(**msgspec.structs.asdict(one.message), error=one.error)
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
