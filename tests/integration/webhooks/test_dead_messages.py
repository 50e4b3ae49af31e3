"""Messages that were given up: sent again for another day, or dropped, all or some."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from shared.redis.clients import connect
from shared.webhooks.events import Message
from shared.webhooks.outbox import GIVEN_UP_AFTER_S, Outbox
from tests.support.private_redis import private_redis
from tests.support.stack import Client, Stack, running_stack
from tests.support.waiting import wait_for
from tests.support.webhook_receiver import SECRET, Receiver

_LONG_AGO = time.time() - GIVEN_UP_AFTER_S - 60


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with (
        private_redis() as redis,
        running_stack(
            tmp_path_factory.mktemp("stack"),
            redis.url,
            query=0,
            analysis=0,
            RUSHES_WEBHOOK_HOSTS="127.0.0.1",
        ) as stack,
    ):
        yield stack


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().listening() as receiver:
        yield receiver


@pytest.fixture
def outbox(stack: Stack) -> Iterator[Outbox]:
    with connect(stack.redis_url) as client:
        yield Outbox(client, "default")


def shown(client: Client, hook_id: str) -> dict[str, Any]:
    hooks = client.get("/webhooks").json()["webhooks"]
    return dict(next(hook for hook in hooks if hook["id"] == hook_id))


def given_up(outbox: Outbox, hook_id: str, *names: str) -> None:
    """As the sender does after a day without an answer."""
    for name in names:
        outbox.put(hook_id, Message(name, "task.ended", _LONG_AGO, {"n": name, "empty": []}))
        [raw] = [raw for raw in outbox.due(hook_id, 100) if name in raw]
        outbox.failed(hook_id, raw, "It answered 500.")


def test_they_are_sent_again_or_dropped(stack: Stack, receiver: Receiver, outbox: Outbox) -> None:
    client = stack.client()
    body = {"url": "http://127.0.0.1:1/", "secret": SECRET, "events": ["task.ended"]}
    away = str(client.post("/webhooks", **body).json()["id"])
    hook = str(client.post("/webhooks", **{**body, "url": receiver.url}).json()["id"])
    receiver.status = 500
    given_up(outbox, hook, "a", "b", "c", "d")
    assert [dead["id"] for dead in shown(client, hook)["dead"]] == ["d", "c", "b", "a"]

    receiver.status = 200
    again = client.ok(f"/webhooks/{hook}/dead/resend", message_ids=["b", "a", "gone"])
    assert again == {"message": "2 messages will be sent again.", "count": 2}
    wait_for(lambda: set(receiver.ids) == {"a", "b"}, 10, "both of them")
    assert receiver.messages[0]["data"]["empty"] == [], "as it was"
    dropped = client.ok(f"/webhooks/{hook}/dead/drop", message_ids=["c"])
    assert dropped == {"message": "1 message dropped.", "count": 1}
    none = client.ok(f"/webhooks/{hook}/dead/drop", message_ids=["c"])
    assert none["count"] == 0
    assert none["message"].startswith("None of these messages is there any more")
    assert client.ok(f"/webhooks/{hook}/dead/resend")["count"] == 1, "all that are left"
    wait_for(lambda: "d" in receiver.ids, 10, "the last one")
    assert shown(client, hook)["dead"] == []
    outbox._redis.lpush(outbox._key(hook, "-dead"), '{"of": "another version"}')
    assert client.ok(f"/webhooks/{hook}/dead/drop")["count"] == 1, "what nobody can read, too"
    assert outbox.state(hook).dead == 0

    given_up(outbox, away, "old")
    assert client.ok(f"/webhooks/{away}/dead/resend")["count"] == 1
    wait_for(lambda: shown(client, away)["last_error"], 10, "a failed try")
    assert (shown(client, away)["dead"], shown(client, away)["waiting"]) == ([], 1), "another day"

    for what in ("resend", "drop"):
        assert client.post(f"/webhooks/none/dead/{what}").status_code == 404
        refused = client.post(f"/webhooks/{hook}/dead/{what}", message_ids=[])
        assert (refused.status_code, "message_ids" in refused.json()["message"]) == (400, True)
