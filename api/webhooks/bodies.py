"""Bodies of requests about webhooks; see api.http.bodies."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from api.http.bodies import LONGEST_PATH, LONGEST_WORD, Keyed
from shared.webhooks.events import WebhookEvent
from shared.webhooks.outbox import MOST_DEAD


class WebhookBody(Keyed, kw_only=True):
    """Who is to be told of what."""

    url: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=LONGEST_PATH,
            description="Where messages are posted to; its host must be among those of "
            "RUSHES_WEBHOOK_HOSTS. Redirects are not followed.",
            examples=["https://mam.example/hooks/rushes"],
        ),
    ]
    secret: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=LONGEST_WORD,
            description="Signs the messages, as Standard Webhooks have it: `whsec_` and 24 to 64 "
            "bytes in base64. It is never answered.",
            examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        ),
    ]
    events: Annotated[
        list[WebhookEvent],
        Meta(
            min_length=1,
            max_length=len(WebhookEvent),
            description="What it is told of.",
            examples=[["task.ended", "file.failed"]],
        ),
    ]


class DeadMessagesBody(Keyed, kw_only=True):
    """Which of the messages that were given up."""

    message_ids: (
        Annotated[
            list[Annotated[str, Meta(min_length=1, max_length=LONGEST_WORD)]],
            Meta(
                min_length=1,
                max_length=MOST_DEAD,
                description="Their ids, as /webhooks lists them in `dead`; left out: all.",
                examples=[["task.ended:8f14e45fceea167a5a36dedd4bea2543"]],
            ),
        ]
        | None
    ) = None
