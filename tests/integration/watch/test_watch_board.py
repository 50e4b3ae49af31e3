"""The board of the watch folders: the lease, the live state and what is asked, on a real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from shared.redis.clients import connect
from shared.watch.board import ROOM, Ask, FolderLive, WatchBoard, WatchLive, WatchState
from tests.support.waiting import wait_for


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def board(client: redis.Redis) -> WatchBoard:
    return WatchBoard(client, "default")


def test_one_watcher_at_a_time_is_active_and_a_spare_takes_over(board: WatchBoard) -> None:
    assert not board.has_watcher()
    assert board.take("me", ttl_s=60)
    assert board.take("me", ttl_s=60), "it stays"
    assert not board.take("spare", ttl_s=60)
    board.leave("spare")
    assert board.has_watcher()
    board.leave("me")
    assert not board.has_watcher()
    assert board.take("spare", ttl_s=60)


def test_a_lease_that_is_not_renewed_ends(board: WatchBoard) -> None:
    assert board.take("me", ttl_s=0.05)
    wait_for(lambda: board.take("spare", ttl_s=60), 5, "the end of the lease")
    assert not board.take("me", ttl_s=60)


def test_a_lease_that_was_lost_is_not_renewed(board: WatchBoard, client: redis.Redis) -> None:
    assert not board.renew("me")
    assert board.take("me", ttl_s=60)
    assert board.renew("me", ttl_s=60)
    assert not board.renew("spare")
    client.flushall()
    assert not board.renew("me")
    assert board.take("spare", ttl_s=60)


def test_of_many_at_once_exactly_one_becomes_active(redis_url: str) -> None:
    def take(n: int) -> bool:
        with connect(redis_url) as client:
            return WatchBoard(client, "default").take(f"{n}", ttl_s=60)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(16))) == 1


def test_what_the_watcher_says_counts_as_long_as_one_is_active(board: WatchBoard) -> None:
    live = WatchLive(
        state=WatchState.RUNNING,
        current_folder="/in",
        current_file="/in/a.mov",
        files_processed=3,
        last_error="x",
        folders={"f": FolderLive(state=WatchState.PAUSED, reason="y", is_polling=True)},
    )
    board.publish(live)
    assert board.read() is None, "nobody is active"
    board.take("me", ttl_s=60)
    assert board.read() == live
    board.leave("me")
    assert board.read() is None


def test_what_another_version_says_is_as_good_as_nothing(
    board: WatchBoard, client: redis.Redis
) -> None:
    board.take("me", ttl_s=60)
    assert board.read() is None
    board.publish(WatchLive(state=WatchState.RUNNING))
    [name] = client.keys("*watch:live")
    client.set(name, '{"state": "dreaming"}')
    assert board.read() is None


def test_every_word_rings_the_room_and_counts_up(board: WatchBoard, client: redis.Redis) -> None:
    with client.pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe("rushes:default:progress")
        before = board.seq()
        board.publish(WatchLive(state=WatchState.RUNNING))
        board.tell()
        assert board.seq() == before + 2
        heard = [
            wait_for(lambda: channel.get_message(timeout=0.1), 5, "the bell")["data"]
            for _ in range(2)
        ]
        assert heard == [ROOM, ROOM]


def test_what_is_asked_stays_until_it_is_done(board: WatchBoard) -> None:
    asks = [Ask(folder_id="f"), Ask(folder_id="g", paths=("/a", "/ü"))]
    for ask in asks:
        board.ask(ask)
    assert list(board.asked()) == asks == list(board.asked())
    board.ask(Ask(folder_id="h"))
    board.done(asks[1])
    assert list(board.asked()) == [asks[0], Ask(folder_id="h")]
    board.done(asks[0])
    board.done(Ask(folder_id="h"))
    assert list(board.asked()) == []
