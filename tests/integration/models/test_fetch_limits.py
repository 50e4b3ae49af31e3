"""A fetch that would fill the disk, or in which nothing arrives, is ended in a sentence."""

from __future__ import annotations

import fcntl
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from shared.models.fetches import Fetches, FetchRecord
from shared.models.model_catalogue import find
from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.redis.heartbeats import Heartbeat
from shared.settings import Settings
from tests.support.private_redis import private_redis
from tests.support.system.tiny_disk import tiny_disk
from tests.support.waiting import wait_for
from workers.models.weights import fetcher, pull
from workers.models.weights.fetcher import WeightsFetcher

MODEL = "someone/whisper-of-mine"
_FILLS = """
import os, time
folder = os.path.join(os.environ["RUSHES_MODELS_DIR"], ".someone--whisper-of-mine-made")
os.mkdir(folder)
with open(os.path.join(folder, "a"), "wb", 0) as file:
    while True:
        file.write(bytes(65536))
        time.sleep(0.02)
"""
_HANGS = 'import time; print(\'{"words": "waiting for another"}\', flush=True); time.sleep(99)'


@pytest.fixture(scope="module")
def client() -> Iterator[redis.Redis]:
    with private_redis() as server, connect(server.url) as client:
        yield client


Run = Callable[..., FetchRecord]


@pytest.fixture
def run(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Has a model fetched by this program; how it ends."""
    client.flushall()

    def run(models: Path, program: str, model: str = MODEL) -> FetchRecord:
        monkeypatch.setenv("RUSHES_MODELS_DIR", str(models))
        monkeypatch.setattr(fetcher, "_COMMAND", ("-c", program))
        monkeypatch.setattr(fetcher, "_TELL_EVERY_S", 0.05)
        fetches = Fetches(client, "default")
        host = socket.gethostname()
        beat = Heartbeat(name="w1", kind="query", host=host, pid=1, started_at=0.0)
        heartbeats.publish(client, "default", beat, ttl_s=60)
        fetches.ask(model, [host])
        worker = WeightsFetcher(Settings.from_env(), client, "w1")
        worker.start()
        try:
            wait_for(lambda: not fetches.records()[0].is_open, 20, "the end of the fetch")
        finally:
            worker.end()
        return fetches.records()[0]

    return run


def test_a_disk_is_not_filled(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fetcher, "KEPT_FREE", 2_000_000)
    with tiny_disk(tmp_path / "disk", kib=8_192) as disk:
        record = run(disk, _FILLS)
        assert record.state == "failed"
        assert "It was stopped before it filled the disk" in record.message
        assert os.statvfs(disk).f_bfree * os.statvfs(disk).f_bsize > 7_000_000, "nothing is left"
        larger = run(disk, _FILLS, "whisper-base")
        assert "MB of free disk" in larger.message
        assert larger.started_at is None, "its size is known"


def test_one_in_which_nothing_arrives_is_ended(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fetcher, "STALLED_S", 0.6)
    record = run(tmp_path, _HANGS)
    assert record.state == "failed"
    assert "Nothing has arrived for" in record.message
    assert "Its last words: waiting for another." in record.message


def test_who_waits_for_another_process_tells_what_that_one_adds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """So that one which gets on, however slowly, is not taken for one that is stopped."""
    monkeypatch.setattr(pull, "_LOOK_S", 0.02)
    settings = replace(Settings(), models_dir=tmp_path)
    said: list[str] = []
    root = settings.weights_dir
    root.mkdir(exist_ok=True)
    with (root / ".packages.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        words = (settings, find(settings, "whisper-base"), said.append)
        thread = threading.Thread(target=pull.pull, args=words)
        thread.start()
        try:
            wait_for(lambda: said, 10, "the first words")
            with (root / "large").open("w") as file:
                file.truncate(250_000_000)
            wait_for(lambda: len(said) > 1, 10, "what has arrived")
            (root / "whisper-base").mkdir()
            (root / "whisper-base" / "manifest.json").touch()
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)
            thread.join()
    assert said[0] == "waiting for another process that is fetching packages"
    assert said[1].endswith(": 250 MB")
    assert said[-1] == "whisper-base was made ready by another process"


def test_what_has_waited_for_a_day_is_not_fetched_by_surprise(
    run: Run, client: redis.Redis, tmp_path: Path
) -> None:
    host, old = socket.gethostname(), time.time() - 86_500
    Fetches(client, "default").put(FetchRecord(model_key="old", host=host, asked_at=old))
    run(tmp_path, "pass")
    [record] = [one for one in Fetches(client, "default").records() if one.model_key == "old"]
    assert record.state == "failed"
    assert "within a day. Fetch it again." in record.message


def test_what_another_worker_of_the_machine_fetches_is_not_begun(
    client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.flushall()
    host, fetches = socket.gethostname(), Fetches(client, "default")
    for name in ("w1", "w2"):
        beat = Heartbeat(name=name, kind="query", host=host, pid=1, started_at=0.0)
        heartbeats.publish(client, "default", beat, ttl_s=60)
    theirs = FetchRecord(model_key="a", host=host, asked_at=1.0, state="running", worker="w2")
    fetches.put(theirs)
    fetches.ask(MODEL, [host])
    monkeypatch.setenv("RUSHES_MODELS_DIR", str(tmp_path))
    monkeypatch.setattr(fetcher, "_COMMAND", ("-c", "pass"))
    first, second = (WeightsFetcher(Settings.from_env(), client, name) for name in ("w1", "w2"))
    first._look()
    assert {one.state for one in fetches.records()} == {"running", "waiting"}
    fetches.forget(theirs)
    second._look()
    assert [one.state for one in fetches.records()] == ["waiting"], "the first by name does it"
    first._look()
    assert [one.state for one in fetches.records()] == ["running"]
    first.end()


def test_what_was_deleted_here_counts_as_fetched_no_more(
    run: Run, client: redis.Redis, tmp_path: Path
) -> None:
    host = socket.gethostname()
    fetches = Fetches(client, "default")
    fetches.put(FetchRecord(model_key="whisper-base", host=host, asked_at=1.0, state="done"))
    assert fetches.fetched([host]) == {"whisper-base"}
    run(tmp_path, "pass")
    assert "whisper-base" not in fetches.fetched([host])
