"""Several people share a server: nobody cancels, blocks or starves anybody, and all see why."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.redis.clients import connect
from shared.redis.licence_keys import Keys
from tests.support.media.many_files import copies_of_one
from tests.support.media.media import make_clip
from tests.support.private_redis import private_redis
from tests.support.socketio_client import Watcher
from tests.support.stack import Client, Stack, running_stack
from tests.support.system.stopwatch import Stopwatch
from tests.support.waiting import wait_for
from tests.support.watch.ingest import Ingest

NAMES = ("Ann", "Bob", "Cleo", "Dan", "Eve", "Fay", "Gus", "Hal", "Ida", "Jo")
ABSENT = "whisper-large-v3"  # its weights are on no hub that a test could reach


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One analysis worker; each test leaves it idle."""
    folder = tmp_path_factory.mktemp("stack")
    with private_redis() as redis, running_stack(folder, redis.url, query=0) as stack:
        yield stack


@pytest.fixture(scope="module")
def people(stack: Stack) -> dict[str, Client]:
    """Clients of one server, each with a key of its own."""
    with connect(stack.redis_url) as client:
        keys = Keys(client, "default", stack.folder / "state")
        return {name: stack.client(key=keys.create(label=name)) for name in NAMES}


def clips(folder: Path, count: int) -> list[Path]:
    """So many different files of one second."""
    return copies_of_one(make_clip(folder / "first.mp4", 1), count)


def transcribe(client: Client, cache: Path, clip: Path, **more: object):
    jobs = [{"path": str(clip), "language": "english"}]
    return client.post(
        "/analyze",
        cache_dir=str(cache),
        transcription_jobs=jobs,
        speech_model_key=ABSENT,
        **more,
    )


def test_anothers_five_clips_begin_within_one_item(
    people: dict[str, Client], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    many, few = clips(tmp_path / "many", 500), clips(tmp_path / "few", 5)
    ann, bob = people["Ann"], people["Bob"]
    long = ann.analyze(cache, *many)
    wait_for(lambda: ann.task(long)["current"] >= 5, 30, "some of it to be done")

    short = bob.analyze(cache, *few)
    when_he_came = ann.task(long)["current"]
    paused = wait_for(
        lambda: (task := ann.task(long))["status"] == "queued" and task, 20, "its turn to end"
    )

    assert paused["current"] <= when_he_came + 1 + len(os.sched_getaffinity(0)), "in hand"
    assert (paused["place"], paused["waiting_for"]["code"]) == (1, "turn")
    assert paused["waiting_for"]["owner"] == "Bob"
    assert [bob.task(t)["owner"] for t in (long, short)] == ["Ann", "Bob"]
    assert bob.wait_final(short)["status"] == "completed"
    again = paused["current"]
    wait_for(lambda: ann.task(long)["current"] > again, 20, "the long one to go on by itself")
    assert ann.ok("/analyze/cancel")["task_id"] == long
    ann.wait_final(long)


def test_an_absent_model_is_in_nobodys_way(
    stack: Stack, people: dict[str, Client], tmp_path: Path
) -> None:
    """Of ten clients one wants it, and a watch folder is there, too."""
    cache, [clip] = tmp_path / "cache", clips(tmp_path / "clips", 1)
    ann, *others = people.values()
    refused = transcribe(ann, cache, clip)
    assert refused.status_code == 400
    assert ABSENT in refused.json()["message"]
    waiting = transcribe(ann, cache, clip, wait=True).json()["task_id"]
    wait_for(lambda: ann.task(waiting)["waiting_for"], 10, "its reason")

    for number, other in enumerate(others):
        stopwatch = Stopwatch(stack)
        body = {"cache_dir": str(tmp_path / f"cache-{number}"), "visual_media_paths": [str(clip)]}
        task = other.ok("/analyze", **body, on_busy="refuse")["task_id"]
        wait_for(lambda t=task: people["Bob"].task(t)["status"] != "queued", 30, "it to begin")
        assert stopwatch.seconds() < 2
        assert other.wait_final(task)["status"] == "completed"
        assert other.task(task)["waiting_for"] is None, "it was told another's reason"
    stack.start_worker("watcher")
    ingest = Ingest(ann)
    watched = ingest.add(clip.parent, tmp_path / "ingested")
    ingest.start()
    watched.wait_processed(2)
    watched.delete()
    told = ann.task(waiting)
    assert (told["status"], told["place"], told["waiting_for"]["code"]) == ("queued", None, "model")
    assert f"rushes models pull {ABSENT}" in told["message"]
    assert ann.ok("/analyze/cancel")["task_id"] == waiting


def test_cancel_and_replace_mean_ones_own(people: dict[str, Client], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    many = clips(tmp_path / "many", 40)
    ann, bob = people["Ann"], people["Bob"]
    anns = ann.analyze(cache, *many)
    wait_for(lambda: ann.task(anns)["current"] >= 1, 30, "it to run")
    assert bob.ok("/analyze/cancel")["cancelled"] is False
    bobs = bob.analyze(cache, *many[:3])
    newer = ann.analyze(cache, *many)
    assert ann.wait_final(anns)["superseded_by"] == newer
    anns = newer
    assert ann.ok("/analyze/cancel")["task_id"] == anns
    assert ann.wait_final(anns)["status"] == "cancelled"
    assert bob.wait_final(bobs)["status"] == "completed"


def test_a_socket_without_a_key_hears_no_names(
    stack: Stack, people: dict[str, Client], tmp_path: Path
) -> None:
    [clip] = clips(tmp_path / "clips", 1)
    ann = people["Ann"]
    with Watcher(ann.url) as stranger, Watcher(ann.url, key="test-key") as colleague:
        task_id = ann.analyze(tmp_path / "cache", clip)
        stranger.join(task_id)
        colleague.join(task_id)
        heard = stranger.until_final(task_id, 30)
        known = colleague.until_final(task_id, 30)
    assert {event["owner"] for event in known} == {"Ann"}
    assert all(event["client"]["address"] == "127.0.0.1" for event in known)
    assert {(event["owner"], event["client"]) for event in heard} == {(None, None)}


def test_without_a_worker_a_task_waits_in_nobodys_way_and_goes_on_by_itself(
    stack: Stack, people: dict[str, Client], tmp_path: Path
) -> None:
    ann = people["Ann"]
    stack.processes["analysis-0"].end()
    task_id = ann.analyze(tmp_path / "cache", *clips(tmp_path / "clips", 1))
    api = stack.processes["api-0"]
    wait_for(lambda: f"Task {task_id} makes way" in api.text(), 30, "it to make way")
    told = ann.task(task_id)
    waits = told["status"], told["place"], told["waiting_for"]["code"]
    assert waits == ("queued", None, "worker")
    assert "No analysis worker is running" in told["message"]
    stack.start_worker("analysis", 1)
    assert ann.wait_final(task_id)["status"] == "completed"
