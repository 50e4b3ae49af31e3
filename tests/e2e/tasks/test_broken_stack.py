"""What clients see when parts of the stack are away, killed or cancelled."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.media.media import Encoding, make_clip, make_still
from tests.support.private_redis import PrivateRedis, private_redis
from tests.support.socketio_client import Watcher
from tests.support.stack import Stack, running_stack
from tests.support.system.stopwatch import Stopwatch
from tests.support.waiting import wait_for

LONG = Encoding(fps=2, gop=4)  # seconds that are quick to make and take time to analyse


@pytest.fixture(scope="module")
def no_query(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An API and one analysis worker."""
    folder = tmp_path_factory.mktemp("stack")
    with private_redis() as redis, running_stack(folder, redis.url, query=0) as stack:
        yield stack


def artefacts(cache_dir: Path) -> list[str]:
    return (
        sorted(path.name for path in (cache_dir / "media").rglob("*") if path.is_file())
        if (cache_dir / "media").exists()
        else []
    )


def test_a_worker_killed_in_a_file_loses_it_to_another_within_15_s_and_the_task_completes(
    tmp_path: Path, redis_url: str
) -> None:
    clips = [make_clip(tmp_path / f"{n}.mp4", seconds=90, encoding=LONG) for n in range(2)]
    with running_stack(tmp_path / "stack", redis_url, query=0, analysis=2) as stack:
        client = stack.client()
        with Watcher(client.url) as watcher:
            task_id = client.analyze(tmp_path / "cache", *clips)
            watcher.join(task_id)
            # Each worker holds one of the two files once both have begun to write it.
            wait_for(lambda: len(begun(tmp_path / "cache")) == 2, 30, "both files to be begun")
            stack.processes["analysis-0"].kill(signal.SIGKILL)
            stopwatch = Stopwatch(stack)
            survivor = stack.processes["analysis-1"].popen.pid
            events = watcher.until_final(task_id, timeout_s=60)
            took = stopwatch.seconds()
        record = client.task(task_id, files=True)
    assert record["status"] == "completed"
    assert record["failed_files"] == []
    percents = [event["overall_progress"] for event in events]
    assert percents == sorted(percents)
    workers = {file["worker"] for file in record["files"]}
    assert all(f"-{survivor}-" in worker for worker in workers), "the survivor did both"
    # Taken up within 15 s, and then 90 s of footage analysed, which take 3 s and more here.
    assert took <= 15 + 10, f"completed {took:.1f} s after the kill"
    # What the killed worker had begun stays hidden until it is collected.
    visible = [name for name in artefacts(tmp_path / "cache") if not name.startswith(".")]
    assert len([name for name in visible if name.startswith("visual.")]) == 2
    assert len([name for name in visible if name.startswith("manifest.visual.")]) == 2


def begun(cache_dir: Path) -> set[str]:
    """Media folders in which a worker is writing."""
    return {path.parent.name for path in (cache_dir / "media").glob("*/*/.visual.*.tmp")}


def test_sigterm_hands_the_file_back_and_another_worker_finishes_it(
    no_query: Stack, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "long.mp4", seconds=120, encoding=LONG)
    client = no_query.client()
    task_id = client.analyze(tmp_path / "cache", clip)
    wait_for(lambda: client.task(task_id)["progress"] > 0, 20, "progress")
    assert no_query.processes["analysis-0"].end() == 0
    assert client.task(task_id)["status"] not in ("completed", "failed", "cancelled")
    no_query.start_worker("analysis", 1)
    assert client.wait_final(task_id)["status"] == "completed"


def test_cancel_stops_a_running_file_within_a_second_and_leaves_nothing_half_done(
    no_query: Stack, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "long.mp4", seconds=240, encoding=LONG)
    client = no_query.client()
    with Watcher(client.url) as watcher:
        task_id = client.analyze(tmp_path / "cache", clip)
        watcher.join(task_id)
        wait_for(lambda: client.task(task_id)["progress"] > 0, 20, "progress")
        stopwatch = Stopwatch(no_query)
        answer = client.ok("/analyze/cancel", task_id=task_id)
        assert answer["cancelled"] is True
        events = watcher.until_final(task_id, 30)
        assert stopwatch.seconds() <= 1.0
    assert events[-1]["status"] == "cancelled"
    again = client.ok("/analyze/cancel", task_id=task_id)
    assert again["cancelled"] is False
    unknown = client.post("/analyze/cancel", task_id="0" * 32)
    assert unknown.status_code == 404
    nothing = client.ok("/analyze/cancel")
    assert nothing == {**nothing, "cancelled": False, "task_id": None}
    assert artefacts(tmp_path / "cache") == []


def test_redis_away_is_a_503_within_two_seconds_and_comes_back(
    tmp_path: Path, own_redis: PrivateRedis
) -> None:
    still = make_still(tmp_path / "a.jpg", colour=(200, 30, 30))
    with running_stack(tmp_path / "stack", own_redis.url) as stack:
        client = stack.client()
        client.analyzed(tmp_path / "cache", still)
        own_redis.stop()
        body = {"cache_dir": str(tmp_path / "cache"), "visual_media_paths": [str(still)]}
        for path, request in [
            ("/analyze", body),
            ("/search/text", {"query": "new words", "cache_dir": str(tmp_path / "cache")}),
        ]:
            stopwatch = Stopwatch(stack)
            answer = client.post(path, **request)
            assert (answer.status_code, "retry-after" in answer.headers) == (503, True), path
            assert stopwatch.seconds() <= 2
            assert set(answer.json()) == {"error", "message"}
        assert client.get("/health").json() == {"status": "ok"}
        own_redis.start()
        wait_for(lambda: client.post("/analyze", **body).status_code == 202, 20, "Redis again")


def test_without_a_query_worker_search_is_503_with_retry_after(
    no_query: Stack, tmp_path: Path
) -> None:
    client = no_query.client()
    client.analyzed(tmp_path / "cache", make_still(tmp_path / "a.jpg", colour=(200, 30, 30)))
    answer = client.post("/search/text", query="red", cache_dir=str(tmp_path / "cache"))
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    assert "rushes worker query" in answer.json()["message"]


def test_a_frame_search_on_the_grid_uses_the_stored_embedding_and_needs_no_query_worker(
    no_query: Stack, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "a.mp4", seconds=4)
    frame = {"media_path": str(clip), "cache_dir": str(tmp_path / "cache")}
    client = no_query.client()
    client.analyzed(tmp_path / "cache", clip)
    on_grid = client.post("/search/frame", time_seconds=2, **frame)
    assert on_grid.status_code == 200, on_grid.text
    assert on_grid.json()["matches"]
    between = client.post("/search/frame", time_seconds=2.5, **frame)
    assert between.status_code == 503, "a frame off the grid has to be decoded"


def test_without_an_analysis_worker_a_task_waits_and_says_so(
    tmp_path: Path, redis_url: str
) -> None:
    still = make_still(tmp_path / "a.jpg", colour=(200, 30, 30))
    with running_stack(tmp_path / "stack", redis_url, query=0, analysis=0) as stack:
        client = stack.client()
        task_id = client.analyze(tmp_path / "cache", still)
        record = client.task(task_id)
        assert record["status"] == "queued"
        assert "no analysis worker" in record["message"].lower()
        stack.start_worker("analysis")
        assert client.wait_final(task_id)["status"] == "completed"


def test_an_analysis_into_what_is_no_folder_is_refused_with_the_reason(
    no_query: Stack, tmp_path: Path
) -> None:
    still = make_still(tmp_path / "a.jpg", colour=(200, 30, 30))
    (tmp_path / "file").write_text("a file where the cache_dir should be")
    for path in ("file", "file/cache"):
        body = {"cache_dir": str(tmp_path / path), "visual_media_paths": [str(still)]}
        answer = no_query.client().post("/analyze", **body)
        assert answer.status_code == 400
        assert f"{tmp_path / path} is not a folder" in answer.json()["message"]
