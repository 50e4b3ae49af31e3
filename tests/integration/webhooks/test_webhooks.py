"""Webhooks of a real API process: signed, at least once, and nobody waits for a slow receiver."""

from __future__ import annotations

import json
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.redis.clients import connect
from shared.webhooks.events import Message, WebhookEvent
from shared.webhooks.outbox import MOST_WAITING, Outbox
from shared.webhooks.subscriptions import Webhook
from tests.support.cli.remote_command import Command
from tests.support.private_redis import private_redis
from tests.support.stack import KEY, Client, Stack, running_stack
from tests.support.system.stopwatch import Stopwatch
from tests.support.waiting import wait_for
from tests.support.webhook_receiver import SECRET, Receiver


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two API processes, of which one sends."""
    with (
        private_redis() as redis,
        running_stack(
            tmp_path_factory.mktemp("stack"),
            redis.url,
            apis=2,
            query=0,
            analysis=0,
            RUSHES_WEBHOOK_HOSTS="127.0.0.1, mam.example",
        ) as stack,
    ):
        yield stack


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    """No webhook is left of another test."""
    client = stack.client()
    yield client
    for hook in client.get("/webhooks").json()["webhooks"]:
        assert client.http.delete(f"/webhooks/{hook['id']}").status_code == 200


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().listening() as receiver:
        yield receiver


def subscribed(client: Client, url: str, *events: str) -> str:
    answer = client.post("/webhooks", url=url, secret=SECRET, events=events or ["task.ended"])
    assert answer.status_code == 201, answer.text
    assert SECRET not in answer.text
    return str(answer.json()["id"])


def shown(client: Client, hook_id: str) -> dict[str, Any]:
    answer = client.get("/webhooks")
    assert SECRET not in answer.text
    return next(hook for hook in answer.json()["webhooks"] if hook["id"] == hook_id)


def ended(client: Client, folder: Path) -> str:
    """A task that was cancelled."""
    body = {"cache_dir": str(folder), "visual_media_paths": ["/nowhere/a.mov"]}
    task_id = str(client.ok("/analyze", **body)["task_id"])
    assert client.ok("/analyze/cancel", task_id=task_id)["cancelled"]
    return task_id


def test_the_end_of_a_task_is_told_once_and_signed(
    stack: Stack, client: Client, receiver: Receiver, tmp_path: Path
) -> None:
    hook = subscribed(client, receiver.url)
    task_id = ended(stack.client(1), tmp_path)
    wait_for(lambda: receiver.messages, 10, "the message")
    [message] = receiver.messages
    assert message["type"] == "task.ended"
    told = message["data"]
    assert (told["task_id"], told["status"], told["kind"]) == (task_id, "cancelled", "analyze")
    assert receiver.ids == [f"task.ended:{task_id}"]
    assert receiver.paths == ["/hook?of=rushes"]
    wait_for(lambda: shown(client, hook)["waiting"] == 0, 5, "an empty outbox")
    assert shown(client, hook)["last_sent_at"] == pytest.approx(time.time(), abs=10)


def test_a_key_with_roots_is_told_of_its_folders_alone(
    stack: Stack, client: Client, receiver: Receiver, tmp_path: Path
) -> None:
    inside, outside = tmp_path / "show1", tmp_path / "show2"
    maker = client.post("/keys", roots=[str(tmp_path)]).json()["license_key"]
    key = stack.client(key=maker).post("/keys", roots=[str(inside)]).json()["license_key"]
    guest = stack.client(key=key)
    subscribed(client, receiver.url)  # of a key without roots: told of both
    with Receiver().listening() as own:
        hook = subscribed(guest, own.url, "task.ended", "file.failed", "folder.waiting")
        for folder in (outside, inside):
            path = str(folder / "a.mov")
            body = {"cache_dir": str(folder), "visual_media_paths": [path]}
            task_id = guest.ok("/analyze", **body) if folder is inside else None
            task_id = task_id or client.ok("/analyze", **body)
            assert client.ok("/analyze/cancel", **{"task_id": task_id["task_id"]})["cancelled"]
        wait_for(lambda: len(receiver.messages) == 2 and own.messages, 10, "the messages")
        assert [message["data"]["task_id"] for message in own.messages] == [task_id["task_id"]]
        assert shown(client, hook)["waiting"] == 0
    assert [each["id"] for each in guest.get("/webhooks").json()["webhooks"]] == [hook]
    other = next(h["id"] for h in client.get("/webhooks").json()["webhooks"] if h["id"] != hook)
    assert guest.http.delete(f"/webhooks/{other}").status_code == 404
    assert guest.post(f"/webhooks/{other}/test").status_code == 404


def test_the_watcher_tells_a_key_with_roots_of_its_folders_alone(
    stack: Stack, client: Client
) -> None:
    hooks = [
        Webhook(
            id=name,
            url="http://mam.example",
            secret=SECRET,
            events=(WebhookEvent.FOLDER_WAITING,),
            owner="",
            roots=roots,
            created_at=0,
        )
        for name, roots in (("all", None), ("show1", ("/show1",)), ("show2", ("/show2",)))
    ]
    with connect(stack.redis_url) as redis:
        outbox = Outbox(redis, "default")
        waiting = Message("id", WebhookEvent.FOLDER_WAITING, time.time(), {"path": "/show1/in"})
        outbox.tell(hooks, waiting, ("/show1/in", "/show1/cache"))
        assert [outbox.state(hook.id).waiting for hook in hooks] == [1, 1, 0]
        for hook in hooks:
            outbox.forget(hook.id)


def test_the_same_subscription_is_refused_the_second_time(client: Client) -> None:
    body = {"url": "http://mam.example/", "secret": SECRET, "events": ["task.ended", "file.failed"]}
    assert client.post("/webhooks", **body).status_code == 201
    refused = client.post("/webhooks", **{**body, "events": ["file.failed", "task.ended"]})
    assert (refused.status_code, refused.json()["error"]) == (409, "Already subscribed")
    assert client.post("/webhooks", **{**body, "events": ["task.ended"]}).status_code == 201


def test_webhooks_of_an_earlier_version_get_the_roots_of_their_keys_when_an_api_process_starts(
    stack: Stack, client: Client, tmp_path: Path
) -> None:
    answer = client.post("/keys", roots=[str(tmp_path)]).json()
    guest = stack.client(key=answer["license_key"])
    hook_id = subscribed(guest, "http://mam.example/")
    with connect(stack.redis_url) as redis:
        raw = json.loads(str(redis.hget("rushes:default:webhooks", hook_id)))
        del raw["roots"]
        redis.hset("rushes:default:webhooks", hook_id, json.dumps(raw))
        unowned = {**raw, "id": "unowned", "owner": "0" * 12}
        redis.hset("rushes:default:webhooks", "unowned", json.dumps(unowned))
        file = stack.folder / "state" / "webhooks.json"
        content = file.read_bytes()
        file.write_bytes(b"{")  # Redis is rewritten all the same
        stack.start_api()

        def renewed() -> bool:
            hook = json.loads(str(redis.hget("rushes:default:webhooks", hook_id)))
            return bool(hook.get("roots") == [str(tmp_path)])

        wait_for(renewed, 10, "the record in today's form")
        file.write_bytes(content)
        assert json.loads(str(redis.hget("rushes:default:webhooks", "unowned"))) == unowned
        redis.hdel("rushes:default:webhooks", "unowned")
    log = list(stack.processes.values())[-1].text()
    assert "webhooks.json cannot be read" in log
    assert f"key {'0' * 12} of webhook unowned no longer exists. If it had roots, remove" in log
    assert guest.get("/webhooks").json()["webhooks"][0]["id"] == hook_id


def test_a_receiver_that_was_down_gets_everything(client: Client, tmp_path: Path) -> None:
    receiver = Receiver()
    hook = subscribed(client, receiver.url)
    tasks = [ended(client, tmp_path) for _ in range(5)]
    wait_for(lambda: shown(client, hook)["last_error"], 10, "a failed try")
    with receiver.listening():
        wait_for(lambda: len(set(receiver.ids)) == 5, 60, "all of them")
    assert {message["data"]["task_id"] for message in receiver.messages} == set(tasks)


def test_a_slow_receiver_delays_no_other(
    stack: Stack, client: Client, receiver: Receiver, tmp_path: Path
) -> None:
    with Receiver().listening() as slow:
        slow.held = threading.Event()
        subscribed(client, slow.url)
        subscribed(client, receiver.url)
        stopwatch = Stopwatch(stack)
        ended(client, tmp_path)
        wait_for(lambda: receiver.messages, 20, "the message")
        assert stopwatch.seconds() < 5
        assert not slow.messages
        slow.held.set()


def test_redirects_are_not_followed_and_a_test_says_what_became_of_it(
    client: Client, receiver: Receiver
) -> None:
    hook = subscribed(client, receiver.url)
    with Receiver().listening() as elsewhere:
        receiver.status, receiver.location = 302, elsewhere.url
        told = client.ok(f"/webhooks/{hook}/test")
        assert (told["delivered"], "redirects are not followed" in told["message"]) == (False, True)
        receiver.status = 500
        assert client.ok(f"/webhooks/{hook}/test")["message"] == "It answered 500."
        receiver.status = 200
        assert client.ok(f"/webhooks/{hook}/test")["delivered"] is True
        assert not elsewhere.paths
    assert client.post("/webhooks/unknown/test").status_code == 404


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"url": "http://evil.example/"}, "Possible are: 127.0.0.1, mam.example."),
        ({"url": "http://127.0.0.1.evil.example/"}, "RUSHES_WEBHOOK_HOSTS"),
        ({"url": "ftp://mam.example/"}, "url must begin with"),
        ({"url": "http://user:pass@mam.example/"}, "no user name"),
        ({"url": "mam.example"}, "url must begin with"),
        ({"secret": "whsec_c2hvcnQ="}, "secret must be whsec_"),
        ({"secret": "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "secret must be whsec_"),
        ({"events": []}, "events must not be empty"),
        ({"events": ["task.begun"]}, 'events[0] must be one of "task.ended", "file.failed"'),
    ],
)
def test_what_cannot_be_subscribed_is_said(client: Client, body: dict[str, Any], said: str) -> None:
    good = {"url": "http://mam.example/", "secret": SECRET, "events": ["task.ended"]}
    answer = client.post("/webhooks", **{**good, **body})
    assert answer.status_code == 400
    assert said in answer.json()["message"]
    assert client.get("/webhooks").json() == {"webhooks": []}


def test_of_more_than_ten_thousand_that_wait_the_number_is_told(
    stack: Stack, client: Client, tmp_path: Path
) -> None:
    receiver = Receiver()
    hook = subscribed(client, receiver.url)
    later = time.time() + 3600
    with connect(stack.redis_url) as redis:
        outbox = Outbox(redis, "default")
        for number in range(MOST_WAITING):
            redis.zadd(f"rushes:default:outbox:{hook}", {f"{number}": later * 1000})
        ended(client, tmp_path)
        ended(client, tmp_path)
        assert (outbox.state(hook).waiting, outbox.state(hook).dropped) == (MOST_WAITING, 2)
        redis.delete(f"rushes:default:outbox:{hook}")
    with receiver.listening():
        task_id = ended(client, tmp_path)
        wait_for(lambda: len(receiver.messages) == 2, 30, "both messages")
    assert receiver.messages[0]["data"]["task_id"] == task_id
    assert receiver.messages[1]["type"] == "webhook.dropped"
    assert receiver.messages[1]["data"] == {"count": 2}


def test_what_fails_for_a_day_is_listed_as_dead(stack: Stack, client: Client) -> None:
    receiver = Receiver()
    hook = subscribed(client, receiver.url)
    with connect(stack.redis_url) as redis:
        old = Message("task.ended:old", "task.ended", time.time() - 90_000, {"task_id": "old"})
        Outbox(redis, "default").put(hook, old)
    dead = wait_for(lambda: shown(client, hook)["dead"], 30, "it to be given up")
    assert [(one["id"], one["data"]) for one in dead] == [("task.ended:old", {"task_id": "old"})]
    assert shown(client, hook)["waiting"] == 0


def test_subscriptions_survive_the_loss_of_redis_in_a_private_file(
    stack: Stack, client: Client, receiver: Receiver, tmp_path: Path
) -> None:
    hook = subscribed(client, receiver.url)
    path = stack.folder / "state" / "webhooks.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(json.loads(path.read_text())["webhooks"]) == [hook]
    with connect(stack.redis_url) as redis:
        redis.flushall()
    assert shown(client, hook)["url"] == receiver.url
    ended(client, tmp_path)
    wait_for(lambda: receiver.messages, 15, "the message")


def test_without_the_scope_admin_nothing_of_webhooks_is_to_be_had(
    stack: Stack, client: Client
) -> None:
    key = client.post("/keys", scopes=["analyze"]).json()["license_key"]
    assert stack.client(key=key).get("/webhooks").status_code == 403
    assert stack.client(key=KEY).get("/webhooks").status_code == 200


def test_a_message_that_is_refused_holds_up_no_other(
    stack: Stack, client: Client, receiver: Receiver, tmp_path: Path
) -> None:
    receiver.refused = {"file.failed"}
    hook = subscribed(client, receiver.url, "task.ended", "file.failed")
    with connect(stack.redis_url) as redis:
        for number in range(30):
            Outbox(redis, "default").put(
                hook, Message(f"file.failed:{number}", "file.failed", time.time(), {"n": number})
            )
    task_id = ended(client, tmp_path)
    wait_for(lambda: f"task.ended:{task_id}" in receiver.ids, 10, "the task's end")
    # The sender learns that the message was taken a moment after the receiver has it.
    wait_for(lambda: shown(client, hook)["waiting"] == 30, 10, "only the refused ones to wait")


def test_the_command_line_subscribes_lists_tries_and_removes(
    stack: Stack, client: Client, receiver: Receiver, tmp_path: Path
) -> None:
    command = Command(client.url, KEY, tmp_path, {"RUSHES_WEBHOOK_SECRET": SECRET})
    added = command.run("webhooks", "add", receiver.url, "--event", "task.ended").stdout
    hook_id = added.split()[0]
    assert added.endswith("hook?of=rushes: task.ended\n")
    assert SECRET not in added
    assert command.run("webhooks", "test", hook_id).stdout == "The receiver took it.\n"
    assert [message["type"] for message in receiver.messages] == ["webhook.test"]
    receiver.status = 500
    assert "500" in command.run("webhooks", "test", hook_id, status=1).stdout
    assert f"│ {hook_id} │" in command.run("webhooks", "list").stdout
    command.run("webhooks", "remove", hook_id)
    assert command.json("webhooks", "list") == {"webhooks": []}


def test_a_secret_that_was_not_given_is_made_and_shown_once(
    client: Client, receiver: Receiver, tmp_path: Path
) -> None:
    command = Command(client.url, KEY, tmp_path)
    added = command.json("webhooks", "add", receiver.url)
    assert added["secret"].startswith("whsec_")
    assert len(added["events"]) == len(WebhookEvent)
    assert added["secret"] not in command.run("webhooks", "list", "--json").stdout
