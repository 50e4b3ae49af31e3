"""The lock: one foreground analysis at a time, 409 while the old one unwinds, nothing lost."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.media.media import make_clip
from tests.support.private_redis import private_redis
from tests.support.socketio_client import Watcher
from tests.support.stack import Client, Stack, running_stack
from tests.support.system.stopwatch import Stopwatch
from tests.support.waiting import wait_for

SLOW_UNWIND_S = 3  # longer than a request waits for it, and not as long as two that follow


@pytest.fixture(scope="module")
def idle_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two workers whose extra stage works without end and takes 3 s to unwind when stopped."""
    folder = tmp_path_factory.mktemp("stack")
    told = {
        "SLOW_UNWIND_RECORD": str(folder / "runs.jsonl"),
        "SLOW_UNWIND_S": str(SLOW_UNWIND_S),
        "SLOW_UNWIND_HELD": str(folder / "held"),
    }
    with (
        private_redis() as redis,
        running_stack(folder, redis.url, apis=2, query=0, analysis=0) as stack,
    ):
        for number in range(2):
            stack.start(f"analysis-{number}", "-m", "tests.support.programs.slow_unwind", **told)
        stack.wait_ready(2, 0)
        yield stack


@pytest.fixture
def slow_stack(idle_stack: Stack) -> Iterator[Stack]:
    """The same with nothing recorded; what a test left running is cancelled after it."""
    (idle_stack.folder / "runs.jsonl").unlink(missing_ok=True)
    yield idle_stack
    (idle_stack.folder / "held").unlink(missing_ok=True)
    client = idle_stack.client()
    for task in client.get("/tasks").json()["tasks"]:
        client.post("/analyze/cancel", task_id=task["task_id"])
        client.wait_final(task["task_id"])


def wait_working(client: Client, task_id: str) -> None:
    wait_for(lambda: client.task(task_id)["status"] == "running", 15, "the task to run")


def test_the_second_post_gets_409_after_two_seconds_and_its_retries_get_through(
    slow_stack: Stack, tmp_path: Path
) -> None:
    client = slow_stack.client()
    clip = make_clip(tmp_path / "a.mp4", seconds=3)
    first = client.analyze(tmp_path / "cache", clip)
    record = slow_stack.folder / "runs.jsonl"
    wait_for(lambda: record.exists() and "start" in record.read_text(), 15, "the work to begin")
    body = {"cache_dir": str(tmp_path / "cache"), "visual_media_paths": [str(clip)]}
    held = slow_stack.folder / "held"
    held.touch()  # the first one ends after the answer, however late that is
    began, stopwatch = time.monotonic(), Stopwatch(slow_stack)
    refused = client.post("/analyze", **body)
    waited, took = time.monotonic() - began, stopwatch.seconds()
    held.unlink()
    assert refused.status_code == 409, refused.text
    assert waited >= 2.0
    assert took <= 2.5
    assert set(refused.json()) == {"error", "message"}
    retried = wait_for(
        lambda: (answer := client.post("/analyze", **body)).status_code == 202 and answer,
        30,
        "a retry to be accepted",
    )
    assert client.task(first)["status"] == "cancelled"
    assert client.task(retried.json()["task_id"])["status"] not in ("cancelled", "failed")


def test_fifty_posts_at_once_through_two_apis_never_run_two_tasks(
    slow_stack: Stack, tmp_path: Path
) -> None:
    clips = [str(make_clip(tmp_path / f"{n}.mp4", seconds=2)) for n in range(4)]
    clients = [slow_stack.client(0), slow_stack.client(1)]
    body = {"cache_dir": str(tmp_path / "cache"), "visual_media_paths": clips}
    accepted: list[str] = []

    def post(number: int) -> int:
        answer = clients[number % 2].post("/analyze", **body)
        if answer.status_code == 202:
            accepted.append(answer.json()["task_id"])
        return answer.status_code

    def another_burst() -> bool:
        with ThreadPoolExecutor(50) as pool:
            assert set(pool.map(post, range(50))) <= {202, 409}
        return len(_spans(slow_stack.folder / "runs.jsonl")) >= 3

    wait_for(another_burst, 40, "three tasks to have run")
    clients[0].post("/analyze/cancel")
    for task_id in accepted:
        clients[0].wait_final(task_id, 20)
    spans = sorted(_spans(slow_stack.folder / "runs.jsonl"))
    assert len({worker for *_, workers in spans for worker in workers}) == 2
    for (_, end, one, _), (start, _, two, _) in itertools.pairwise(spans):
        assert end <= start, f"{one} and {two} ran at the same time"


def _spans(record: Path) -> list[tuple[float, float, str, set[int]]]:
    """By the workers' own records: (first start, last end, task_id, workers) of each task."""
    spans: dict[str, tuple[float, float, str, set[int]]] = {}
    for line in record.read_text().splitlines() if record.exists() else []:
        entry = json.loads(line)
        task_id, at = entry["task_id"], entry["at"]
        start, end, _, workers = spans.get(task_id, (at, at, task_id, set()))
        spans[task_id] = (min(start, at), max(end, at), task_id, workers | {entry["worker"]})
    return list(spans.values())


def test_twenty_bad_posts_leave_a_running_task_untouched(slow_stack: Stack, tmp_path: Path) -> None:
    client = slow_stack.client()
    clip = str(make_clip(tmp_path / "a.mp4", seconds=3))
    running = client.analyze(tmp_path / "cache", Path(clip))
    wait_working(client, running)
    cache = str(tmp_path / "cache")
    bad: list[tuple[int, dict[str, object]]] = [
        (400, {}),
        (400, {"cache_dir": cache}),
        (400, {"visual_media_paths": [clip]}),
        (400, {"cache_dir": 5, "visual_media_paths": [clip]}),
        (400, {"cache_dir": cache, "visual_media_paths": ["relative.mp4"]}),
        (400, {"cache_dir": cache, "visual_media_paths": [clip], "visual_model_key": "no-such"}),
        (400, {"cache_dir": cache, "visual_media_paths": [clip], "on_busy": "maybe"}),
        (403, {"cache_dir": cache, "visual_media_paths": [f"{slow_stack.folder}/state/x.mp4"]}),
        (400, {"cache_dir": cache, "transcription_jobs": [{"path": clip, "language": "klingon"}]}),
        (400, {"cache_dir": cache, "face_media_paths": [clip], "cluster_job_name": "x" * 201}),
    ]
    for status, body in bad * 2:
        assert client.post("/analyze", **body).status_code == status, body
    keyless = slow_stack.client(key=None)
    good = {"cache_dir": cache, "visual_media_paths": [clip]}
    assert keyless.post("/analyze", **good).status_code == 401
    wrong = slow_stack.client(key="wrong")
    assert wrong.post("/analyze", **good).status_code == 403
    assert client.task(running)["status"] == "running"
    client.post("/analyze/cancel")
    client.wait_final(running)


def test_queue_waits_its_turn_and_refuse_stops_nothing(slow_stack: Stack, tmp_path: Path) -> None:
    client = slow_stack.client()
    clip = make_clip(tmp_path / "a.mp4", seconds=2)
    running = client.analyze(tmp_path / "cache", clip)
    wait_working(client, running)
    refused = client.post(
        "/analyze",
        cache_dir=str(tmp_path / "cache"),
        visual_media_paths=[str(clip)],
        on_busy="refuse",
    )
    assert refused.status_code == 409
    queued = client.analyze(tmp_path / "cache", clip, on_busy="queue")
    assert client.task(queued)["status"] == "queued"
    assert client.task(running)["status"] == "running"
    assert client.ok("/analyze/cancel", task_id=running)["cancelled"] is True
    wait_working(client, queued)
    assert client.task(running)["status"] == "cancelled"
    client.post("/analyze/cancel")
    client.wait_final(queued)


def test_the_stopped_task_says_what_superseded_it(slow_stack: Stack, tmp_path: Path) -> None:
    client = slow_stack.client()
    clip = make_clip(tmp_path / "a.mp4", seconds=2)
    first = client.analyze(tmp_path / "cache", clip)
    wait_working(client, first)
    with Watcher(client.url) as watcher:
        watcher.join(first)
        body = {"cache_dir": str(tmp_path / "cache"), "visual_media_paths": [str(clip)]}
        second = wait_for(
            lambda: (answer := client.post("/analyze", **body)).status_code == 202 and answer,
            15,
            "the second task",
        ).json()["task_id"]
        events = watcher.until_final(first, 5)
    assert events[-1]["status"] == "cancelled"
    assert events[-1]["superseded_by"] == second
    client.post("/analyze/cancel")
    client.wait_final(second)
