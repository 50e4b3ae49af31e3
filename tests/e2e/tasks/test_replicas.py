"""Two API processes and restarts see the same data and tell every client the same end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import one_more_api
from tests.support.media.media import Encoding, make_clip, make_still
from tests.support.private_redis import PrivateRedis, private_redis
from tests.support.socketio_client import Watcher
from tests.support.stack import Client, Stack, running_stack
from tests.support.waiting import wait_for

LONG = Encoding(fps=2, gop=4)  # seconds that are quick to make and take time to analyse
# Longer than all that expires in Redis meanwhile: heartbeats (10 s), leases of files (9 s) and of
# watching (8 s). Nothing that a client or a process waits for is longer and shorter than 20 s.
OUTAGE_S = 12


def matches(client: Client, cache_dir: Path) -> list[tuple[str, str]]:
    found = client.ok("/search/text", query="a red thing", cache_dir=str(cache_dir))["matches"]
    return [(match["hash_str"], match["frame_idx"]) for match in found]


def test_replicas_and_restarts_find_the_same(
    stack: Stack, second_api: Client, tmp_path: Path
) -> None:
    stills = [
        make_still(tmp_path / f"{n}.jpg", colour=(40 * n, 255 - 40 * n, 90)) for n in range(5)
    ]
    cache_dir, one = tmp_path / "cache", stack.client()
    one.analyzed(cache_dir, *stills[:3])
    assert len(matches(one, cache_dir)) == 3
    assert matches(second_api, cache_dir) == matches(one, cache_dir)
    with one_more_api(stack) as third:
        third.analyzed(cache_dir, *stills[3:])
        assert len(matches(one, cache_dir)) == 5
        before = matches(third, cache_dir)
    with one_more_api(stack) as again:
        assert matches(again, cache_dir) == before == matches(second_api, cache_dir)


@pytest.fixture(scope="module")
def redis() -> Iterator[PrivateRedis]:
    """It keeps its data over stop and start, as the one of `rushes up` does."""
    with private_redis(append_only=True) as redis:
        yield redis


@pytest.fixture(scope="module")
def two_apis(redis: PrivateRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """With one analysis worker."""
    with running_stack(tmp_path_factory.mktemp("stack"), redis.url, apis=2, query=0) as stack:
        yield stack


@pytest.mark.parametrize("outage", ["frozen", "restarted"])
def test_clients_of_both_apis_get_the_final_state_although_redis_was_away_longer_than_any_lease(
    two_apis: Stack, redis: PrivateRedis, tmp_path: Path, outage: str
) -> None:
    """Frozen: connections hang and nothing is lost. Restarted: they break, and Redis comes back
    with its append-only file, as the private Redis does."""
    clip = make_clip(tmp_path / "long.mp4", seconds=200, encoding=LONG)
    clients = [two_apis.client(0), two_apis.client(1)]
    with contextlib.ExitStack() as keep:
        watchers = [
            keep.enter_context(Watcher(client.url, transports=[transport]))
            for client, transport in zip(clients, ("websocket", "polling"), strict=True)
        ]
        task_id = clients[0].analyze(tmp_path / "cache", clip)
        for watcher in watchers:
            watcher.join(task_id)
        wait_for(lambda: clients[0].task(task_id)["progress"] > 0, 20, "progress")
        if outage == "frozen":
            redis.freeze()
        else:
            redis.stop()
        assert_away_for(clients[0], OUTAGE_S)
        if outage == "frozen":
            redis.thaw()
        else:
            redis.start()
        for watcher in watchers:
            watcher.until_final(task_id, 60)
        # A second final event would come with the next round of reading, within 2 s.
        later = clients[0].analyzed(tmp_path / "cache", clip)["task_id"]
        for watcher in watchers:
            watcher.join(later)
            watcher.until_final(later, 10)
        ends = [watcher.of(task_id) for watcher in watchers]
    for events in ends:
        percents = [event["overall_progress"] for event in events]
        assert percents == sorted(percents)
        assert events[-1]["status"] == "completed", events[-1]
        assert len([e for e in events if e["status"] == "completed"]) == 1


def assert_away_for(client: Client, seconds: float) -> None:
    until = time.monotonic() + seconds

    def over() -> bool:
        assert client.get("/tasks").status_code == 503
        return time.monotonic() >= until

    wait_for(over, seconds + 5, "the outage", every_s=0.5)
