"""Socket.IO as real clients see it: real API processes, a real Redis, real python-socketio."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import socketio
import socketio.exceptions
import websocket

from shared.domain import ProgressType, TaskKind
from shared.ledger.ledger import Ledger
from shared.ledger.records import ItemFile, Lease, NewItem, NewTask
from shared.redis.clients import connect
from shared.redis.licence_keys import Keys
from tests.support.played_worker import claim
from tests.support.private_redis import PrivateRedis
from tests.support.socketio_client import FINAL, Watcher
from tests.support.stack import KEY, Stack, running_stack
from tests.support.waiting import wait_for

FILES = 8


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, _shared_redis: PrivateRedis) -> Iterator[Stack]:
    """One API process; a test may start another."""
    folder = tmp_path_factory.mktemp("stack")
    with running_stack(folder, _shared_redis.url, analysis=0, query=0) as stack:
        yield stack


class Work:
    """A Task of one Item with FILES files; the test is its worker."""

    def __init__(self, redis_url: str, *wants: ProgressType) -> None:
        self.ledger = Ledger(connect(redis_url), "default")
        self.wants = wants or (ProgressType.VIDEO,)
        files = tuple(ItemFile(f"/{n}.mp4", self.wants) for n in range(FILES))
        item = NewItem(b"{}", files)
        task = NewTask(kind=TaskKind.ANALYZE, items=[item])
        self.ledger.submit(task)
        self.task_id = task.task_id
        self._lease: Lease | None = None

    @property
    def lease(self) -> Lease:
        self._lease = self._lease or claim(self.ledger, self.task_id, 0, "worker", "nonce")
        assert self._lease
        return self._lease

    def advance(self, files: float) -> None:
        self.ledger.progress(
            self.lease, type=ProgressType.VIDEO, fraction=files, media_path="/0.mp4"
        )

    def finish(self) -> None:
        for kind in self.wants:
            for index in range(FILES):
                self.ledger.file_ended(
                    self.lease, type=kind, index=index, media_path=f"/{index}.mp4"
                )
        self.ledger.settle(self.lease, "done")


def only_forward(events: list[dict[str, object]]) -> None:
    """Percent never goes back, and only the last event is final."""
    percents = [float(str(event["overall_progress"])) for event in events]
    assert percents == sorted(percents)
    assert [event["status"] in FINAL for event in events] == [False] * (len(events) - 1) + [True]


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_client_sees_the_first_state_progress_and_the_end(
    stack: Stack, redis_url: str, transport: str
) -> None:
    work = Work(redis_url)
    with Watcher(stack.client().url, transports=[transport]) as watcher:
        assert watcher.join(work.task_id)["task_id"] == work.task_id
        wait_for(lambda: watcher.of(work.task_id), 5, "the replayed state")
        assert watcher.of(work.task_id)[0]["status"] == "queued"
        work.advance(2)
        wait_for(lambda: watcher.of(work.task_id)[-1]["progress"] == 25, 5, "25 %")
        work.finish()
        events = watcher.until_final(work.task_id, 5)
    only_forward(events)
    last = events[-1]
    assert (last["type"], last["status"], last["progress"]) == ("video", "completed", 100)
    assert (last["current"], last["total"], last["failed_files"]) == (FILES, FILES, [])
    assert set(last) == {
        "task_id", "type", "status", "progress", "overall_progress", "current", "total",
        "media_path", "message", "eta_seconds", "failed_files", "error", "superseded_by",
        "waiting_for", "place", "owner", "client",
    }  # fmt: skip


def test_the_last_event_of_each_type_comes_before_the_end(stack: Stack, redis_url: str) -> None:
    kinds = (ProgressType.VIDEO, ProgressType.FACES, ProgressType.AUDIO)
    work = Work(redis_url, *kinds)
    with Watcher(stack.client().url) as watcher:
        watcher.join(work.task_id)
        work.advance(2)
        wait_for(lambda: watcher.of(work.task_id)[-1]["progress"] == 25, 5, "25 % of the first")
        work.finish()  # within a quarter of a second, which is one event
        events = watcher.until_final(work.task_id, 5)
    only_forward(events)
    for kind in kinds:
        last = [event for event in events if event["type"] == kind][-1]
        assert (last["progress"], last["current"], last["total"]) == (100, FILES, FILES)
        assert last["failed_files"] == []


def test_a_type_that_ends_while_others_run_is_told_in_its_turn(
    stack: Stack, redis_url: str
) -> None:
    work = Work(redis_url, ProgressType.VIDEO, ProgressType.AUDIO)
    with Watcher(stack.client().url) as watcher, Watcher(stack.client().url) as late:
        watcher.join(work.task_id)
        for index in range(FILES):
            named = {"index": index, "media_path": f"/{index}.mp4"}
            work.ledger.file_ended(work.lease, type=ProgressType.VIDEO, **named)
        named = {"fraction": 1.0, "media_path": "/0.mp4"}
        work.ledger.progress(work.lease, type=ProgressType.AUDIO, **named)
        wait_for(lambda: watcher.of(work.task_id)[-1]["type"] == "audio", 5, "the newest state")
        late.join(work.task_id)
        wait_for(lambda: late.of(work.task_id)[-1]["type"] == "audio", 5, "the newest state")
        for events in (watcher.of(work.task_id)[1:], late.of(work.task_id)):
            seen = [(e["type"], e["progress"], e["status"]) for e in events]
            assert seen == [("video", 100, "running"), ("audio", 12.5, "running")]
        work.finish()
        assert len(watcher.until_final(work.task_id, 5)) == 4


def test_clients_of_both_processes_hear_it_at_most_about_four_times_a_second(
    stack: Stack, redis_url: str
) -> None:
    work = Work(redis_url)
    with Watcher(stack.client().url) as one, Watcher(stack.start_api().url) as other:
        for watcher in (one, other):
            watcher.join({"task_id": work.task_id})
        for step in range(400):
            work.advance(step * FILES / 401)
        work.finish()
        for watcher in (one, other):
            events = watcher.until_final(work.task_id, 5)
            only_forward(events)
            assert len(events) < 20


def test_who_joins_after_the_end_is_sent_the_end(stack: Stack, redis_url: str) -> None:
    work = Work(redis_url)
    work.finish()
    with Watcher(stack.client().url) as watcher:
        watcher.join(work.task_id)
        [event] = watcher.until_final(work.task_id, 5)
    assert event["status"] == "completed"


def test_who_leaves_hears_no_more(stack: Stack, redis_url: str) -> None:
    work = Work(redis_url)
    client = socketio.Client()
    events: list[dict[str, object]] = []
    client.on("progress", events.append)
    client.connect(stack.client().url, transports=["websocket"])
    try:
        client.call("join", work.task_id, timeout=5)
        assert client.call("leave", work.task_id, timeout=5)["message"] == "Left."
        known = len(events)
        work.finish()
        # Another client that hears the end proves that this one would have.
        with Watcher(stack.client().url) as watcher:
            watcher.join(work.task_id)
            watcher.until_final(work.task_id, 5)
        client.call("leave", work.task_id, timeout=5)
        assert len(events) == known
    finally:
        client.disconnect()


@pytest.mark.parametrize("wrong", ["0" * 32, "", None, 5, {"id": "x"}, ["a"]])
def test_an_unknown_task_is_acknowledged_with_an_error(stack: Stack, wrong: object) -> None:
    with Watcher(stack.client().url) as watcher:
        assert set(watcher.join(wrong)) == {"error", "message"}


def test_more_arguments_of_a_join_are_ignored(stack: Stack, redis_url: str) -> None:
    work = Work(redis_url)
    with Watcher(stack.client().url) as watcher:
        for more in ({}, "x", 5):
            assert watcher.join((work.task_id, more))["task_id"] == work.task_id
        assert watcher.call("leave", (work.task_id, {}))["message"] == "Left."
        assert set(watcher.join(("0" * 32, {}))) == {"error", "message"}
    work.finish()


def test_another_sockets_room_cannot_be_joined(stack: Stack) -> None:
    client = socketio.Client()
    client.connect(stack.client().url, transports=["websocket"])
    try:
        with Watcher(stack.client().url) as watcher:
            assert "error" in watcher.join(client.get_sid())
    finally:
        client.disconnect()


def test_a_wrong_key_is_refused_and_a_right_one_is_not(stack: Stack, redis_url: str) -> None:
    keys = Keys(connect(redis_url), "default", stack.folder / "state")
    for key in ("wrong", keys.create("basic")):
        with (
            pytest.raises(socketio.exceptions.ConnectionError),
            Watcher(stack.client().url, key=key),
        ):
            pass
    for key in (KEY, keys.create("pro"), None):
        with Watcher(stack.client().url, key=key) as watcher:
            assert "error" in watcher.join("unknown")
    client = socketio.Client()
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(stack.client().url, headers={"X-License-Key": "wrong"})


def test_other_origins_are_refused(stack: Stack) -> None:
    url = stack.client().url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    with pytest.raises(websocket.WebSocketBadStatusException):
        websocket.create_connection(url, origin="https://evil.example", timeout=5)
    for origin in ("null", "http://localhost:3000"):
        connection = websocket.create_connection(url, origin=origin, timeout=5)
        assert connection.recv().startswith("0{")
        connection.close()


def test_required_authentication_refuses_a_socket_without_a_key(
    redis_url: str, tmp_path: Path
) -> None:
    with running_stack(
        tmp_path / "s", redis_url, analysis=0, query=0, RUSHES_SOCKET_AUTH="required"
    ) as stack:
        with pytest.raises(socketio.exceptions.ConnectionError), Watcher(stack.client().url):
            pass
        with Watcher(stack.client().url, key=KEY) as watcher:
            assert "error" in watcher.join("unknown")


def test_after_redis_was_away_for_10_s_nobody_misses_the_end_or_sees_percent_go_back(
    own_redis: PrivateRedis, tmp_path: Path
) -> None:
    with running_stack(tmp_path / "s", own_redis.url, apis=2, analysis=0, query=0) as stack:
        work = Work(own_redis.url)
        with Watcher(stack.client(0).url) as one, Watcher(stack.client(1).url) as other:
            for watcher in (one, other):
                watcher.join(work.task_id)
            work.advance(4)
            for watcher in (one, other):
                wait_for(lambda w=watcher: w.of(work.task_id)[-1]["progress"] == 50, 5, "50 %")
            own_redis.freeze()
            with pytest.raises(AssertionError, match="in vain"):
                # The worker's lease, 9 s, is over by then.
                wait_for(lambda: len(one.of(work.task_id)) > 3, 10, "an event from nowhere")
            own_redis.thaw()
            work.advance(6)
            work.finish()
            for watcher in (one, other):
                only_forward(watcher.until_final(work.task_id, 10))


def test_a_redis_that_comes_up_empty_ends_its_tasks_for_those_who_watch(
    own_redis: PrivateRedis, tmp_path: Path
) -> None:
    with running_stack(tmp_path / "stack", own_redis.url, apis=1, analysis=0, query=0) as stack:
        work = Work(own_redis.url)
        work.advance(2)
        with Watcher(stack.client().url) as watcher:
            watcher.join(work.task_id)
            own_redis.stop()
            own_redis.start()
            events = watcher.until_final(work.task_id, 10)
        only_forward(events)
        assert events[-1]["status"] == "failed"
        assert "start the analysis again" in str(events[-1]["error"])
        assert stack.client().get(f"/tasks/{work.task_id}").status_code == 404


@pytest.mark.parametrize("survives", [True, False], ids=["kept", "lost"])
def test_a_join_while_redis_is_away_is_kept_and_hears_the_end(
    tmp_path: Path, survives: bool
) -> None:
    """Also of a Task that Redis has lost, with its last second, after the client had its 202."""
    with tempfile.TemporaryDirectory(prefix="rr-") as short:
        own_redis = PrivateRedis(Path(short), append_only=survives)
        own_redis.start()
        with running_stack(tmp_path / "s", own_redis.url, analysis=0, query=0) as stack:
            work = Work(own_redis.url)
            work.finish()
            wait_for(lambda: not survives or _is_synced(own_redis.url), 5, "the file to be synced")
            own_redis.stop()
            with Watcher(stack.client().url) as watcher:
                told = watcher.join(work.task_id)
                assert set(told) == {"message", "task_id"}
                assert "Redis does not answer just now" in told["message"]
                for made_up in ("unknown", work.task_id.upper(), work.task_id + "a"):
                    assert "There is no task" in watcher.join(made_up)["message"]
                own_redis.start()
                events = watcher.until_final(work.task_id, 10)
        own_redis.stop()
    assert [event["status"] for event in events] == ["completed" if survives else "failed"]


def _is_synced(url: str) -> bool:
    with connect(url) as client:
        told = client.info("persistence")
        return int(told["aof_pending_bio_fsync"]) + int(told["aof_buffer_length"]) == 0
