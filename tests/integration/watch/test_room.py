"""The Socket.IO room `watch-folders`, as real clients see it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import socketio

from shared.watch.live import ROOM, FolderLive, WatchState
from shared.watch.options import FileGroup
from tests.support.private_redis import PrivateRedis
from tests.support.socketio_client import Watcher
from tests.support.stack import KEY, Stack, running_stack
from tests.support.waiting import wait_for
from tests.support.watch.desk import WatchDesk, watch_desk


@pytest.fixture(scope="module")
def stack(_shared_redis: PrivateRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One API process; a test may start another."""
    folder = tmp_path_factory.mktemp("stack")
    with running_stack(folder, _shared_redis.url, analysis=0, query=0) as stack:
        yield stack


def desk_of(stack: Stack, folder: Path) -> AbstractContextManager[WatchDesk]:
    state = stack.folder / "state"
    return watch_desk(stack.client(), stack.redis_url, folder / "media", folder / "caches", state)


@pytest.fixture
def desk(stack: Stack, redis_url: str, tmp_path: Path) -> Iterator[WatchDesk]:
    with desk_of(stack, tmp_path) as desk:
        yield desk


def last(watcher: Watcher) -> dict[str, Any]:
    events = watcher.of(ROOM)
    return events[-1] if events else {}


def wait_last(watcher: Watcher, what: str, **fields: Any) -> dict[str, Any]:
    """The newest event, once it has these fields."""

    def found() -> dict[str, Any] | None:
        event = last(watcher)
        return event if event and fields.items() <= event.items() else None

    return wait_for(found, 5, what)


def test_a_keyless_socket_may_not_join_it(stack: Stack) -> None:
    with Watcher(stack.client().url) as watcher:
        for words in (ROOM, {"task_id": ROOM}, {"room": ROOM}):
            refused = watcher.join(words)
            assert refused["error"] == "Authentication required"
            assert "auth.license_key" in refused["message"]
        assert watcher.of(ROOM) == []


@pytest.mark.parametrize("words", [ROOM, {"task_id": ROOM}, {"room": ROOM}])
def test_who_joins_is_sent_the_status_at_once(desk: WatchDesk, words: object) -> None:
    desk.added("in")
    with Watcher(desk.client.url, key=KEY) as watcher:
        assert watcher.join(words) == {"message": "Joined.", "task_id": ROOM}
        event = wait_for(lambda: last(watcher), 5, "the first event")
        assert event == {"task_id": ROOM, "type": "ingest", **desk.status()}
        watcher.join(words)
        wait_for(lambda: len(watcher.of(ROOM)) == 2, 5, "the same again, after joining again")


def test_the_key_may_come_in_a_header(desk: WatchDesk) -> None:
    client = socketio.Client()
    client.connect(desk.client.url, headers={"X-License-Key": KEY}, transports=["websocket"])
    try:
        assert client.call("join", ROOM, timeout=5)["message"] == "Joined."
    finally:
        client.disconnect()


def test_clients_of_both_processes_hear_every_change(desk: WatchDesk, stack: Stack) -> None:
    folder = desk.added("in")
    with (
        Watcher(stack.client().url, key=KEY) as one,
        Watcher(stack.start_api().url, key=KEY) as other,
    ):
        for watcher in (one, other):
            watcher.join(ROOM)
            wait_last(watcher, "the first event", state="stopped")
        desk.service("start")
        for watcher in (one, other):
            wait_last(watcher, "the start", state="waiting")
        desk.watcher_knows(folder["id"], "/a", "/b", group=FileGroup.PENDING)
        live = {folder["id"]: FolderLive(state=WatchState.RUNNING)}
        desk.watcher_says(WatchState.RUNNING, live, current_file="/a", files_processed=3)
        for watcher in (one, other):
            event = wait_last(watcher, "the file", current_file="/a", files_pending=2)
            assert event["files_processed_this_session"] == 3
            assert event["folder_stats"][folder["id"]]["state"] == "running"
        desk.added("second")
        for watcher in (one, other):
            wait_for(lambda w=watcher: len(last(w)["folder_stats"]) == 2, 5, "the new folder")
        desk.delete(folder["id"])
        for watcher in (one, other):
            wait_for(lambda w=watcher: len(last(w)["folder_stats"]) == 1, 5, "the deleted one")


def test_a_foreground_analysis_is_heard_of_though_nobody_tells_of_it(desk: WatchDesk) -> None:
    desk.service("start")
    desk.watcher_says(WatchState.WAITING)
    with Watcher(desk.client.url, key=KEY) as watcher:
        watcher.join(ROOM)
        wait_last(watcher, "the first event", state="waiting")
        desk.client.analyze(desk.caches / "x", desk.media / "a.mp4")
        wait_last(watcher, "the pause", state="paused")
        desk.client.ok("/analyze/cancel")
        wait_last(watcher, "the end of the pause", state="waiting")


def test_what_stays_the_same_is_not_sent_again_and_many_changes_are_few_events(
    desk: WatchDesk,
) -> None:
    desk.service("start")
    with Watcher(desk.client.url, key=KEY) as watcher:
        watcher.join(ROOM)
        wait_last(watcher, "the first event", state="waiting")
        for n in range(200):
            desk.watcher_says(WatchState.RUNNING, files_processed=n)
        wait_last(watcher, "the last change", files_processed_this_session=199)
        events = watcher.of(ROOM)
        assert len(events) < 20
        for _ in range(20):
            desk.live_status.announce()
        desk.watcher_says(WatchState.RUNNING, files_processed=200)
        wait_last(watcher, "one more change", files_processed_this_session=200)
        assert len(watcher.of(ROOM)) == len(events) + 1


def test_a_redis_that_comes_up_empty_does_not_end_the_room(
    own_redis: PrivateRedis, tmp_path: Path
) -> None:
    with (
        running_stack(tmp_path / "stack", own_redis.url, analysis=0, query=0) as stack,
        desk_of(stack, tmp_path) as desk,
    ):
        folder = desk.added("in")
        desk.service("start")
        desk.watcher_says(WatchState.RUNNING, files_processed=5)
        with Watcher(desk.client.url, key=KEY) as watcher:
            watcher.join(ROOM)
            wait_last(watcher, "the first event", state="running")
            own_redis.stop()
            own_redis.start()
            event = wait_last(watcher, "the state after the loss", state="waiting")
            assert list(event["folder_stats"]) == [folder["id"]]
            assert "rushes watcher" in event["last_error"]
            desk.watcher_says(WatchState.RUNNING, files_processed=1)
            wait_last(watcher, "its return", state="running", files_processed_this_session=1)
            assert all("status" not in event for event in watcher.of(ROOM))


def test_who_leaves_hears_no_more(desk: WatchDesk, stack: Stack) -> None:
    with Watcher(desk.client.url, key=KEY) as stays:
        stays.join(ROOM)
        client = socketio.Client()
        events: list[dict[str, object]] = []
        client.on("progress", events.append)
        client.connect(desk.client.url, auth={"license_key": KEY}, transports=["websocket"])
        try:
            client.call("join", ROOM, timeout=5)
            assert client.call("leave", ROOM, timeout=5)["message"] == "Left."
            known = len(events)
            desk.service("start")
            wait_last(stays, "the start", state="waiting")
            assert (
                client.call("leave", {"room": ROOM}, timeout=5)["message"] == "It was not joined."
            )
            assert len(events) == known
        finally:
            client.disconnect()


def test_a_key_without_the_scope_hears_nothing_of_watch_folders(
    stack: Stack, desk: WatchDesk
) -> None:
    client = stack.client()
    made = client.post("/keys", scopes=["search", "analyze"])
    with Watcher(client.url, key=made.json()["license_key"]) as watcher:
        assert "lacks the scope 'watch'" in watcher.join(ROOM)["message"]
