"""Tasks by what became of them, what a key may do with each, and the room that says: ask again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.domain import ProgressType
from shared.ledger.ledger import Ledger
from shared.redis.clients import connect
from tests.support import openapi_agreement
from tests.support.played_worker import claim
from tests.support.private_redis import PrivateRedis
from tests.support.socketio_client import Watcher
from tests.support.stack import KEY, Client, Stack
from tests.support.waiting import wait_for


@pytest.fixture
def ledger(api_redis: PrivateRedis, client: Client) -> Ledger:
    """The ledger that the API writes to; `client` has emptied it."""
    return Ledger(connect(api_redis.url), "default")


class Sent:
    """Analyses of one key, and a worker that the test plays."""

    def __init__(self, client: Client, ledger: Ledger, media: Path, caches: Path) -> None:
        self.client, self.ledger, self.media, self.caches = client, ledger, media, caches

    def task(self, name: str = "a.mp4", client: Client | None = None) -> str:
        return (client or self.client).analyze(
            self.caches / "lists", self.media / name, on_busy="queue"
        )

    def end(self, task_id: str, error: str | None = None) -> None:
        lease = claim(self.ledger, task_id, 0, "worker", task_id)
        assert lease
        path = str(self.media / "a.mp4")
        self.ledger.file_ended(
            lease, type=ProgressType.VIDEO, index=0, media_path=path, error=error
        )
        self.ledger.settle(lease, "done")

    def listed(self, query: str, client: Client | None = None) -> dict[str, Any]:
        answer = (client or self.client).get(f"/tasks?{query}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def ids(self, query: str) -> list[str]:
        return [task["task_id"] for task in self.listed(query)["tasks"]]


@pytest.fixture
def sent(client: Client, ledger: Ledger, media: Path, caches: Path) -> Sent:
    return Sent(client, ledger, media, caches)


def test_each_state_has_its_own_list_and_its_own_pages(sent: Sent) -> None:
    good, bad, *more = (sent.task() for _ in range(5))
    sent.end(good)
    sent.end(bad, "The file is cut off.")
    assert sent.ids("state=ended") == [bad, good]
    assert sent.ids("state=failed") == [bad]
    assert sorted(sent.ids("state=open")) == sorted(more)
    for query, whole in (
        ("state=open", sent.ids("state=open")),
        ("state=ended", [bad, good]),
        ("", [*reversed(more), bad, good]),
    ):
        seen: list[str] = []
        page: dict[str, Any] = {"next": ""}
        while page["next"] is not None:
            page = sent.listed(f"{query}&limit=1&after={page['next']}")
            seen += [task["task_id"] for task in page["tasks"]]
        assert seen == whole, query


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("state=done", "state must be one of open, ended, failed, not 'done'."),
        ("limit=0", "limit"),
        ("limit=many", "limit"),
        ("after=%25%25", "after"),
        ("state=open&after=WyJ4Il0", "after"),
        ("state=ended&after=W10", "after"),
    ],
)
def test_a_wrong_question_is_answered_with_a_sentence(
    client: Client, query: str, word: str
) -> None:
    answer = client.get(f"/tasks?{query}")
    assert answer.status_code == 400
    assert word in answer.json()["message"]


def test_without_a_word_of_it_the_answer_is_as_it_was(sent: Sent) -> None:
    sent.task()
    plain = sent.listed("")
    assert set(plain) == {"tasks"}
    new = {"rate", "footage_seconds", "failed_count", "may_cancel", "may_put_first", "cache_dir"}
    assert not (new | {"is_own"}) & plain["tasks"][0].keys()


def test_details_say_how_fast_it_goes_and_what_the_key_may_do(sent: Sent, api_stack: Stack) -> None:
    made = sent.client.post("/keys", label="Guest", scopes=["analyze"]).json()
    guest = api_stack.client(key=made["license_key"])
    first, second = sent.task(), sent.task()
    theirs = sent.task(client=guest)
    lease = claim(sent.ledger, first, 0, "worker", "nonce")
    assert lease
    sent.ledger.worked(lease, ProgressType.VIDEO, 90.0)
    path = str(sent.media / "a.mp4")
    sent.ledger.file_ended(
        lease, type=ProgressType.VIDEO, index=0, media_path=path, error="It is cut off."
    )

    def rights(client: Client) -> dict[str, tuple[bool, bool, bool]]:
        tasks = sent.listed("state=open&details=true", client)["tasks"]
        names = ("may_cancel", "may_put_first", "is_own")
        return {task["task_id"]: tuple(task[name] for name in names) for task in tasks}  # type: ignore[misc]

    assert rights(sent.client) == {
        first: (True, False, True),
        second: (True, True, True),
        theirs: (True, True, False),
    }
    mine = rights(guest)
    assert mine[theirs] == (True, True, True)
    assert mine[first] == mine[second] == (False, False, False)
    answer = guest.post(f"/tasks/{second}/first")
    assert answer.status_code == 403
    running = sent.listed("state=open&details=true")["tasks"][0]
    assert running["task_id"] == first
    assert (running["footage_seconds"], running["failed_count"]) == (90.0, 1)
    assert running["cache_dir"] == str(sent.caches / "lists")


def test_the_room_of_all_tasks_tells_that_something_has_changed(sent: Sent) -> None:
    with Watcher(sent.client.url) as stranger:
        assert stranger.join("tasks")["error"] == "Authentication required"
    with Watcher(sent.client.url, key=KEY) as watcher:
        assert watcher.join({"room": "tasks"})["task_id"] == "tasks"
        task_id = sent.task()

        def tells(number: int) -> bool:
            return bool(watcher.events) and watcher.events[-1]["open"] == number

        wait_for(lambda: tells(1), 10, "word of the task")
        sent.end(task_id)
        wait_for(lambda: tells(0), 10, "word of its end")
        numbers = [event["seq"] for event in watcher.events]
        assert numbers == sorted(set(numbers))
        for event in watcher.events:
            openapi_agreement.check_event(event)
            assert set(event) == {"task_id", "type", "open", "seq"}
