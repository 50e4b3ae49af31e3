"""Bodies of requests about webhooks; see api.http.bodies."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from api.http.bodies import LONGEST_PATH, Keyed, Word
from shared.webhooks.events import MOST_DEAD, WebhookEvent


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
