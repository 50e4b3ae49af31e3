"""Several people share a server: nobody cancels, blocks or starves anybody, and all see why."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.redis.clients import connect
from shared.redis.licence_keys import Keys
from tests.support.media.media import make_clip
from tests.support.socketio_client import Watcher
from tests.support.stack import Client, Stack, running_stack
from tests.support.waiting import wait_for

ABSENT = "whisper-large-v3"  # its weights are on no hub that a test could reach


@pytest.fixture
def stack(tmp_path: Path, redis_url: str) -> Iterator[Stack]:
    with running_stack(tmp_path / "stack", redis_url) as stack:
        yield stack


@pytest.fixture
def people(stack: Stack) -> dict[str, Client]:
    """Clients of one server, each with a key of its own."""
    with connect(stack.redis_url) as client:
        keys = Keys(client, "default", stack.folder / "state")
        return {name: stack.client(key=keys.create(label=name)) for name in ("Ann", "Bob")}


def clips(folder: Path, count: int) -> list[Path]:
    return [make_clip(folder / f"{folder.name}-{n}.mp4", 1) for n in range(count)]


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
    many, few = clips(tmp_path / "many", 60), clips(tmp_path / "few", 5)
    ann, bob = people["Ann"], people["Bob"]
    long = ann.analyze(cache, *many)
    wait_for(lambda: ann.task(long)["current"] >= 5, 30, "some of it to be done")

    before = ann.task(long)["current"]
    short = bob.analyze(cache, *few)
    paused = wait_for(
        lambda: (task := ann.task(long))["status"] == "queued" and task, 20, "its turn to end"
    )

    assert paused["current"] <= before + 2, "in hand, and one that began meanwhile"
    assert (paused["place"], paused["waiting_for"]["code"]) == (1, "turn")
    assert paused["waiting_for"]["owner"] == "Bob"
    assert [bob.task(t)["owner"] for t in (long, short)] == ["Ann", "Bob"]
    assert bob.wait_final(short)["status"] == "completed"
    assert ann.wait_final(long)["status"] == "completed"


@pytest.mark.alone
def test_an_absent_model_is_in_nobodys_way(people: dict[str, Client], tmp_path: Path) -> None:
    cache, [clip] = tmp_path / "cache", clips(tmp_path / "clips", 1)
    ann, bob = people["Ann"], people["Bob"]
    refused = transcribe(ann, cache, clip)
    assert refused.status_code == 400
    assert ABSENT in refused.json()["message"]
    waiting = transcribe(ann, cache, clip, wait=True).json()["task_id"]

    wait_for(lambda: ann.task(waiting)["waiting_for"], 10, "its reason")
    began = time.monotonic()
    body = {"cache_dir": str(cache), "visual_media_paths": [str(clip)]}
    other = bob.ok("/analyze", **body, on_busy="refuse")["task_id"]
    wait_for(lambda: bob.task(other)["status"] != "queued", 10, "the other task")
    assert time.monotonic() - began < 2
    assert bob.wait_final(other)["status"] == "completed"
    assert bob.task(other)["waiting_for"] is None, "it was told another's reason"
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
