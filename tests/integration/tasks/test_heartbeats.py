"""Which processes are alive, and which models they should have."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from subprocess import PIPE

import msgspec
import pytest
import redis

from shared.domain import ModelKind
from shared.process.process_mark import has_ended, own_mark
from shared.redis.clients import connect
from shared.redis.heartbeats import (
    Heartbeat,
    ModelState,
    WorkerKind,
    burying,
    desire,
    desired,
    leave,
    live,
    publish,
)
from tests.support.waiting import wait_for

TELL_MARK = "import shared.process.process_mark as m; print(m.own_mark(), flush=True); input()"


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url) as client:
        yield client


def _beat(name: str, kind: WorkerKind = "analysis") -> Heartbeat:
    models = {ModelKind.VISUAL: ModelState("conse-lite0", is_loading=True)}
    return Heartbeat(name=name, kind=kind, host="box", pid=1, started_at=5.5, models=models)


def test_a_process_that_has_ended_is_missed_at_once_and_others_are_not(
    client: redis.Redis,
) -> None:
    words = [sys.executable, "-c", TELL_MARK]
    with subprocess.Popen(words, stdin=PIPE, stdout=PIPE, text=True) as other:
        assert other.stdout
        mark = other.stdout.readline().strip()
        assert not has_ended(mark)
        for name, process in {
            "other": mark,
            "we": own_mark(),
            "elsewhere": "0123456789abcdef/1/1",
            "without a mark": "",
            "number used again": own_mark() + "0",
        }.items():
            publish(client, "test", msgspec.structs.replace(_beat(name), process=process))
        with burying(client, "test") as ended:
            assert ended == ["number used again"]
        other.kill()
        wait_for(lambda: has_ended(mark), 5, "a zombie counts as ended")
        with pytest.raises(ZeroDivisionError), burying(client, "test") as ended:
            raise ZeroDivisionError
        with burying(client, "test") as ended:
            assert ended == ["other"], "nobody has used it"
    assert has_ended(mark)
    assert [beat.name for beat in live(client, "test")] == ["elsewhere", "we", "without a mark"]


def test_a_heartbeat_is_read_as_it_was_published(client: redis.Redis) -> None:
    publish(client, "test", _beat("w1"))
    assert live(client, "test") == [_beat("w1")]
    assert live(client, "other") == []


def test_processes_can_be_asked_for_by_kind(client: redis.Redis) -> None:
    publish(client, "test", _beat("w1"))
    publish(client, "test", _beat("q1", "query"))
    assert [beat.name for beat in live(client, "test")] == ["q1", "w1"]
    assert [beat.name for beat in live(client, "test", "query")] == ["q1"]


def test_a_process_that_falls_silent_is_no_longer_live(client: redis.Redis) -> None:
    publish(client, "test", _beat("w1"), ttl_s=0.05)
    publish(client, "test", _beat("w2"))
    wait_for(lambda: len(live(client, "test")) == 1, 5, "the silent worker to be forgotten")
    assert client.smembers("rushes:test:heartbeats") == {"w2"}


def test_a_process_that_leaves_is_gone_at_once(client: redis.Redis) -> None:
    publish(client, "test", _beat("w1"))
    leave(client, "test", "w1")
    assert live(client, "test") == []


def test_nobody_has_asked_for_a_model_at_first(client: redis.Redis) -> None:
    assert desired(client, "test") == {}


def test_asking_for_a_model_again_is_a_newer_generation(client: redis.Redis) -> None:
    first = desire(client, "test", ModelKind.VISUAL, "conse-lite0")
    again = desire(client, "test", ModelKind.VISUAL, "conse-lite0")
    other = desire(client, "test", ModelKind.FACES, "dlib-resnet")
    assert again.generation > first.generation
    assert desired(client, "test") == {ModelKind.VISUAL: again, ModelKind.FACES: other}


def test_a_heartbeat_of_another_version_does_not_hide_the_others(client: redis.Redis) -> None:
    publish(client, "test", Heartbeat(name="a", kind="query", host="h", pid=1, started_at=1.0))
    client.sadd("rushes:test:heartbeats", "b")
    client.set("rushes:test:heartbeat:b", '{"name": "b", "kind": "of a later version"}', ex=10)
    assert [heart.name for heart in live(client, "test")] == ["a"]
