"""Analyze, cancel and tasks over HTTP; the ledger is real, the worker is played by the test."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.domain import AnalyzeSpec, Fault, ProgressType
from shared.ledger.ledger import Ledger
from shared.media import MediaType
from shared.redis.clients import connect
from tests.support.played_worker import claim, claim_all
from tests.support.private_redis import PrivateRedis
from tests.support.socketio_client import Watcher
from tests.support.stack import Client, Stack
from tests.support.system.stopwatch import Stopwatch


@pytest.fixture
def ledger(api_redis: PrivateRedis, client: Client) -> Ledger:
    """The ledger that the API writes to; `client` has emptied it."""
    return Ledger(connect(api_redis.url), "default")


def specs(ledger: Ledger, task_id: str) -> list[AnalyzeSpec]:
    """What each Item of a Task asks of a worker."""
    leases = claim_all(ledger, task_id)
    return [msgspec.json.decode(lease.spec, type=AnalyzeSpec) for lease in leases]


def body(caches: Path, media: Path, *names: str) -> dict[str, Any]:
    return {
        "cache_dir": str(caches / "tasks"),
        "visual_media_paths": [str(media / name) for name in names],
    }


def test_stills_share_items_videos_have_their_own(
    client: Client, ledger: Ledger, media: Path, caches: Path
) -> None:
    names = [f"{n}.jpg" for n in range(200)] + ["a.mp4", "b.mov"]
    task_id = client.ok("/analyze", **body(caches, media, *names), force=True)["task_id"]
    found = specs(ledger, task_id)
    assert sorted(len(spec.files) for spec in found) == [1, 1, 50, 50, 50, 50]
    assert all(spec.force and spec.visual_model == "conse-lite0" for spec in found)
    assert client.task(task_id)["total"] == 202


def test_the_same_file_twice_is_one_file(
    client: Client, ledger: Ledger, media: Path, caches: Path
) -> None:
    names = ["a b#%'\"ü.mp4", "sub/../a b#%'\"ü.mp4", "a b#%'\"ü.mp4"]
    task_id = client.ok("/analyze", **body(caches, media, *names))["task_id"]
    [spec] = specs(ledger, task_id)
    assert [work.path for work in spec.files] == [str(media / names[0])]
    assert client.task(task_id)["total"] == 1


def test_files_of_the_wrong_kind_are_work_that_may_fail(
    client: Client, ledger: Ledger, media: Path, caches: Path
) -> None:
    task_id = client.ok("/analyze", **body(caches, media, "a.wav", "b.xyz"))["task_id"]
    kinds = [spec.files[0].media_type for spec in specs(ledger, task_id)]
    assert kinds == [MediaType.AUDIO, MediaType.VIDEO]


def test_ten_thousand_paths_are_accepted_within_two_seconds(
    client: Client, media: Path, caches: Path, api_stack: Stack
) -> None:
    names = [f"clip {n}.mp4" for n in range(10_000)]
    stopwatch = Stopwatch(api_stack)
    task_id = client.ok("/analyze", **body(caches, media, *names))["task_id"]
    assert stopwatch.seconds() < 2
    assert client.task(task_id)["total"] == 10_000


def test_a_request_with_something_wrong_in_it_stops_nothing(
    client: Client, ledger: Ledger, media: Path, caches: Path
) -> None:
    running = client.ok("/analyze", **body(caches, media, "a.mp4"))["task_id"]
    assert claim(ledger, running, 0, "worker", "nonce")
    for wrong, status in [
        ({"transcription_jobs": [{"path": str(media / "a.mp4"), "language": "klingon"}]}, 400),
        ({"speech_model_key": "nonsense"}, 400),
        ({"face_media_paths": [str(media / "a.mp4")]}, 400),
        ({"face_media_paths": [str(media / "a.mp4")], "cluster_job_name": "A" * 201}, 400),
        ({"face_media_paths": ["/elsewhere/a.mp4"], "cluster_job_name": "A"}, 403),
        ({"face_model_key": "nonsense"}, 400),
        ({"face_eps": 0}, 400),
        ({"face_min_samples": 0}, 400),
        ({"visual_media_paths": ["/elsewhere/a.mp4"]}, 403),
        ({"visual_media_paths": []}, 400),
        ({"visual_model_key": "nonsense"}, 400),
    ]:
        answer = client.post("/analyze", **{**body(caches, media, "b.mp4"), **wrong})
        assert (answer.status_code, set(answer.json())) == (status, {"error", "message"})
    assert client.task(running)["status"] == "running"


def test_a_busy_server_answers_409_queues_or_refuses_as_asked(
    client: Client, ledger: Ledger, media: Path, caches: Path, api_stack: Stack
) -> None:
    running = client.ok("/analyze", **body(caches, media, "a.mp4"))["task_id"]
    lease = claim(ledger, running, 0, "worker", "nonce")
    assert lease
    refused = client.post("/analyze", **body(caches, media, "b.mp4"), on_busy="refuse")
    assert (refused.status_code, refused.headers["Retry-After"]) == (409, "2")
    assert ledger.renew(lease) == "ok"
    queued = client.ok("/analyze", **body(caches, media, "b.mp4"), on_busy="queue")
    assert "It waits for its turn." in queued["message"]
    assert client.task(queued["task_id"])["status"] == "queued"
    assert client.post("/models/load", model_key="conse-lite0").status_code == 409
    began, stopwatch = time.monotonic(), Stopwatch(api_stack)
    replaced = client.post("/analyze", **body(caches, media, "b.mp4"))
    assert replaced.status_code == 409
    assert time.monotonic() - began >= 2.0
    assert stopwatch.seconds() <= 2.5
    assert ledger.renew(lease) == "stop"
    assert client.task(running)["status"] == "stopping"


def test_cancel_stops_a_task_by_its_id_or_the_foreground_one(
    client: Client, ledger: Ledger, media: Path, caches: Path
) -> None:
    nothing = {"message": "Nothing of yours is running.", "cancelled": False, "task_id": None}
    assert client.ok("/analyze/cancel") == nothing
    assert client.post("/analyze/cancel", task_id="unknown").status_code == 404
    first = client.ok("/analyze", **body(caches, media, "a.mp4"))["task_id"]
    assert client.ok("/analyze/cancel")["task_id"] == first
    assert client.task(first)["status"] == "cancelled"
    again = client.ok("/analyze/cancel", task_id=first)
    assert (again["cancelled"], again["task_id"]) == (False, first)
    second = client.ok("/analyze", **body(caches, media, "a.mp4"))["task_id"]
    assert client.ok("/analyze/cancel", task_id=second)["cancelled"]


def test_a_task_that_has_begun_says_why_it_waits_without_a_stray_space(
    client: Client, ledger: Ledger, media: Path, caches: Path
) -> None:
    task_id = client.ok("/analyze", **body(caches, media, "a.mp4"))["task_id"]
    lease = claim(ledger, task_id, 0, "worker-0", "nonce")
    assert lease
    ledger.progress(lease, type=ProgressType.VIDEO, fraction=0.1, media_path=str(media / "a.mp4"))
    message = client.task(task_id)["message"]
    assert message.startswith("0 of 1 files done. No analysis worker is running")


def test_a_collection_without_files_for_faces_gets_a_warning(
    client: Client, caches: Path, media: Path
) -> None:
    asked = {**body(caches, media, "a.mp4"), "cluster_job_name": "Day 1"}
    answer = client.post("/analyze", **asked)
    [warning] = json.loads(answer.headers["X-Rushes-Warnings"])
    assert warning == (
        "cluster_job_name had no effect: face_media_paths names no file, so no faces are analyzed."
    )
    speech = [{"path": str(media / "a.mp4")}]
    answer = client.post("/analyze", **asked, transcription_jobs=speech)
    assert "receives voices only" in answer.headers["X-Rushes-Warnings"]
    for more in ({"face_media_paths": asked["visual_media_paths"]}, {"cluster_job_name": None}):
        assert "X-Rushes-Warnings" not in client.post("/analyze", **{**asked, **more}).headers
    client.ok("/analyze/cancel")


def test_a_silent_file_is_not_applicable_and_has_not_failed(
    client: Client, ledger: Ledger, media: Path, caches: Path
) -> None:
    asked = body(caches, media, "a.mp4")
    path = str(media / "a.mp4")
    task_id = client.ok("/analyze", **asked, transcription_jobs=[{"path": path}])["task_id"]
    lease = claim(ledger, task_id, 0, "worker-0", "nonce")
    assert lease
    named = {"index": 0, "media_path": path}
    ledger.file_ended(lease, type=ProgressType.VIDEO, **named)
    reason = "It has no audio track."
    ledger.file_ended(lease, type=ProgressType.AUDIO, **named, error=reason, fault=Fault.NOTHING)
    assert "not_applicable" not in client.task(task_id)
    ledger.settle(lease, "done")
    listed = {"media_path": path, "reason": reason}
    record = client.task(task_id, files=True)
    assert (record["status"], record["message"]) == ("completed", "Completed.")
    assert (record["failed_files"], record["not_applicable"]) == ([], [listed])
    [file] = record["files"]
    assert (file["state"], file["error"], file["not_applicable"]) == ("done", None, reason)
    tasks = {state: client.get(f"/tasks?state={state}").json() for state in ("ended", "failed")}
    assert task_id not in str(tasks["failed"])
    [one] = [task for task in tasks["ended"]["tasks"] if task["task_id"] == task_id]
    assert one["not_applicable"] == [listed]
    assert client.post(f"/tasks/{task_id}/retry").status_code == 400
    with Watcher(client.url) as watcher:
        watcher.join(task_id)
        assert watcher.until_final(task_id, 5)[-1]["not_applicable"] == [listed]


def test_a_task_tells_its_state_and_what_became_of_each_file(
    client: Client, ledger: Ledger, media: Path, caches: Path
) -> None:
    task_id = client.ok("/analyze", **body(caches, media, "a.mp4", "b.mp4"))["task_id"]
    for item, error in enumerate((None, "It is broken.")):
        lease = claim(ledger, task_id, item, f"worker-{item}", "nonce")
        assert lease
        path = str(media / ("a.mp4", "b.mp4")[item])
        ledger.file_ended(lease, type=ProgressType.VIDEO, index=0, media_path=path, error=error)
        ledger.settle(lease, "done")
    record = client.task(task_id)
    failed = [{"media_path": str(media / "b.mp4"), "error": "It is broken."}]
    assert (record["status"], record["current"], record["total"]) == ("completed", 2, 2)
    assert (record["type"], record["progress"], record["overall_progress"]) == ("video", 100, 100)
    assert record["failed_files"] == failed
    assert record["kind"] == "analyze"
    assert record["finished_at"] >= record["created_at"]
    assert record["files"] is None
    files = client.task(task_id, files=True)["files"]
    assert [(f["state"], f["worker"]) for f in files] == [
        ("done", "worker-0"),
        ("failed", "worker-1"),
    ]
    assert [task["task_id"] for task in client.get("/tasks").json()["tasks"]] == [task_id]
    assert client.get("/tasks/unknown").status_code == 404
