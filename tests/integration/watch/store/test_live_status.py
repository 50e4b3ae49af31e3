"""What the active watcher says of itself, and the word to the room, on a real Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from shared.redis.clients import connect
from shared.watch.live import ROOM, FolderLive, LiveStatus, SoleLease, WatchLive, WatchState
from tests.support.waiting import wait_for


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def lease(client: redis.Redis) -> SoleLease:
    return SoleLease(client, "default")


@pytest.fixture
def live_status(client: redis.Redis) -> LiveStatus:
    return LiveStatus(client, "default")


def test_what_the_watcher_says_counts_as_long_as_one_is_active(
    live_status: LiveStatus, lease: SoleLease
) -> None:
    live = WatchLive(
        state=WatchState.RUNNING,
        current_folder="/in",
        current_file="/in/a.mov",
        files_processed=3,
        last_error="x",
        folders={"f": FolderLive(state=WatchState.PAUSED, reason="y", is_polling=True)},
    )
    live_status.publish(live)
    assert live_status.read() is None, "nobody is active"
    lease.acquire("me", ttl_s=60)
    assert live_status.read() == live
    lease.release("me")
    assert live_status.read() is None


def test_what_another_version_says_is_as_good_as_nothing(
    live_status: LiveStatus, lease: SoleLease, client: redis.Redis
) -> None:
    lease.acquire("me", ttl_s=60)
    assert live_status.read() is None
    live_status.publish(WatchLive(state=WatchState.RUNNING))
    [name] = client.keys("*watch:live")
    client.set(name, '{"state": "dreaming"}')
    assert live_status.read() is None


def test_every_word_tells_the_room_and_counts_up(
    live_status: LiveStatus, client: redis.Redis
) -> None:
    with client.pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe("rushes:default:progress")
        live_status.publish(WatchLive(state=WatchState.RUNNING))
        live_status.announce()
        assert client.get("rushes:default:watch:seq") == "2"
        heard = [
            wait_for(lambda: channel.get_message(timeout=0.1), 5, "the message")["data"]
            for _ in range(2)
        ]
        assert heard == [ROOM, ROOM]
