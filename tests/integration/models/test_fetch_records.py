"""What is answered of fetches whose process is gone, and what other versions have written."""

from __future__ import annotations

import time
from collections.abc import Iterator

import msgspec
import pytest
import redis

from shared.errors import Busy
from shared.models.fetches import Fetches, FetchRecord
from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.redis.heartbeats import Heartbeat
from tests.support.private_redis import private_redis


@pytest.fixture(scope="module")
def client() -> Iterator[redis.Redis]:
    with private_redis() as server, connect(server.url) as client:
        yield client


@pytest.fixture
def fetches(client: redis.Redis) -> Fetches:
    client.flushall()
    return Fetches(client, "default")


def lives(client: redis.Redis, name: str) -> None:
    beat = Heartbeat(name=name, kind="query", host="edit3", pid=1, started_at=0.0)
    heartbeats.publish(client, "default", beat, ttl_s=60)


def running(key: str, worker: str) -> FetchRecord:
    return FetchRecord(
        model_key=key, host="edit3", asked_at=time.time(), state="running", worker=worker
    )


def test_one_that_runs_needs_its_worker(client: redis.Redis, fetches: Fetches) -> None:
    lives(client, "w1")
    fetches.put(running("m", "w1"))
    assert fetches.standing()[0].state == "running"
    heartbeats.leave(client, "default", "w1")
    lives(client, "w2")
    told = fetches.standing()
    assert told == fetches.standing() == fetches.records(), "it has ended once, not just now"
    [record] = fetches.standing()
    assert record.state == "failed"
    assert record.finished_at
    assert "has ended meanwhile. Fetch it again." in record.message


def test_one_that_waits_is_given_up_in_words_when_nobody_could_take_it(fetches: Fetches) -> None:
    fetches.ask("m", ["edit3"])
    assert fetches.standing()[0].state == "waiting", "a worker may be about to start"
    fetches.put(FetchRecord(model_key="old", host="edit1", asked_at=time.time() - 60))
    [new, old] = fetches.standing()
    assert (new.state, old.state) == ("waiting", "failed")
    assert "No worker of edit1 is there any more" in old.message


def test_asked_again_it_stays_and_what_ended_a_day_ago_goes(
    client: redis.Redis, fetches: Fetches
) -> None:
    fetches.put(running("m", "w1"))
    old = FetchRecord(model_key="old", host="a", asked_at=1.0, state="done", finished_at=2.0)
    for record in (old, msgspec.structs.replace(old, model_key="gone", state="failed")):
        fetches.put(record)
    client.hset("rushes:default:models:fetches", "b/of another version", '{"state": "strange"}')
    fetches.ask("m", ["edit3", "edit4"])
    found = {(one.host, one.model_key): one.state for one in fetches.records()}
    now = {("edit3", "m"): "running", ("edit4", "m"): "waiting"}
    assert found == {**now, ("a", "old"): "done"}
    assert len(fetches.standing()) == 2, "of the last day"
    assert (fetches.fetched({"a"}), fetches.fetched({"edit3"})) == ({"old"}, set())
    done = msgspec.structs.replace(running("m", "w1"), state="done", finished_at=time.time())
    fetches.put(done)
    fetches.ask("m", ["edit3"])
    assert {one.state for one in fetches.standing()} == {"waiting"}


def test_what_waits_for_a_machine_that_is_gone_goes_after_a_day(
    client: redis.Redis, fetches: Fetches
) -> None:
    old = time.time() - 86_500
    for host in ("gone", "edit3"):
        fetches.put(FetchRecord(model_key="m", host=host, asked_at=old))
    lives(client, "w1")
    assert [one.host for one in fetches.standing()] == ["edit3"]
    assert [one.host for one in fetches.records()] == ["edit3"]


def test_the_newest_are_kept_and_no_more_than_some_wait(
    client: redis.Redis, fetches: Fetches
) -> None:
    now = time.time()
    for n in range(210):
        done = FetchRecord(
            model_key=f"m{n}", host="a", asked_at=now - n, state="done", finished_at=now
        )
        fetches.put(done)
    assert len(fetches.standing()) == 200
    assert len(fetches.records()) == 200
    for n in range(20):
        fetches.ask(f"w{n}", ["a", "b"])
    fetches.ask("w0", ["c"])
    with pytest.raises(Busy, match="20 models are being fetched"):
        fetches.ask("w20", ["a"])
