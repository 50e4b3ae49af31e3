"""What the stack tells of real work: totals, models, search times, and whose lines are whose."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.media.media import make_still, picture_video
from tests.support.monitoring.scrape import Scrape
from tests.support.stack import Client, Stack
from tests.support.waiting import wait_for

FILES = "rushes_files_total"
FOOTAGE = "rushes_footage_seconds_total"
SEARCHES = "rushes_search_duration_seconds_count"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, Path]) -> list[Path]:
    """Six seconds of video, a still, and what is no film."""
    folder = tmp_path_factory.mktemp("measured")
    broken = folder / "broken.mp4"
    broken.write_text("this is no film")
    return [
        picture_video(folder / "six.mp4", [(photos["cat"], 4), (photos["rocket"], 2)]),
        make_still(folder / "still.jpg", photos["flower"]),
        broken,
    ]


def test_an_analysis_counts_its_files_and_footage_once_for_all_api_processes(
    stack: Stack, second_api: Client, clips: list[Path], tmp_path: Path
) -> None:
    first, second = stack.client(), second_api
    before = Scrape.of(first)

    def grown(name: str, **labels: str) -> float:
        found = [Scrape.of(c).value(name, **labels) for c in (first, second)]
        assert found[0] == found[1]
        return found[0] - before.value(name, **labels)

    first.analyzed(tmp_path / "cache", *clips)
    assert grown(FILES, type="video", outcome="done") == 2
    assert grown(FILES, type="video", outcome="failed") == 1
    assert grown("rushes_file_errors_total", fault="file") == 1
    assert grown(FOOTAGE, type="video") == pytest.approx(6, abs=0.2)
    assert grown("rushes_tasks_finished_total", kind="analyze", state="completed") == 1
    worked = grown(FOOTAGE, type="video")
    first.analyzed(tmp_path / "cache", *clips[:2])
    assert grown(FILES, type="video", outcome="skipped") == 2
    assert grown(FILES, type="video", outcome="done") == 2
    assert grown(FOOTAGE, type="video") == worked


def test_faces_and_sound_are_footage_of_their_own(
    stack: Stack, clips: list[Path], tmp_path: Path
) -> None:
    client = stack.client()
    before = Scrape.of(client)
    client.analyzed(
        tmp_path / "cache", face_media_paths=[str(clips[0])], cluster_job_name="Measured"
    )
    after = Scrape.of(client)

    def grown(name: str, **labels: str) -> float:
        return after.value(name, **labels) - before.value(name, **labels)

    assert grown(FOOTAGE, type="faces") == pytest.approx(6, abs=0.2)
    assert grown(FOOTAGE, type="video") == 0
    assert grown(FILES, type="faces", outcome="done") == 1


def test_every_worker_that_holds_the_model_is_counted(stack: Stack) -> None:
    client, second = stack.client(), stack.start_worker("analysis", 1)
    labels = {"kind": "visual", "model_key": "conse-lite0"}

    def all_hold_it() -> bool:
        found = Scrape.of(client)
        held = sum(n for has, n in found.samples("rushes_model_loaded") if has == labels)
        return held == 3 and found.value("rushes_model_loads_total", kind="visual") >= 3

    wait_for(all_hold_it, 20, "two analysis workers and a query worker with the model", every_s=0.1)
    assert Scrape.of(client).value("rushes_live_workers", kind="analysis") == 2
    assert second.end() == 0
    del stack.processes["analysis-1"]


def test_a_search_is_timed_where_it_was_answered(
    stack: Stack, second_api: Client, clips: list[Path], tmp_path: Path
) -> None:
    asked, other = stack.client(), second_api
    asked.analyzed(tmp_path / "cache", clips[0])
    before = [Scrape.of(client).value(SEARCHES, search="text") for client in (asked, other)]
    asked.ok("/search/text", query="a cat", cache_dir=str(tmp_path / "cache"))
    after = [Scrape.of(client).value(SEARCHES, search="text") for client in (asked, other)]
    assert after == [before[0] + 1, before[1]]


def test_the_lines_of_a_task_are_found_from_its_request_to_its_worker(
    stack: Stack, clips: list[Path], tmp_path: Path
) -> None:
    client = stack.client()
    accepted = client.post(
        "/analyze", cache_dir=str(tmp_path / "cache"), visual_media_paths=[str(clips[0])]
    )
    task_id, request_id = accepted.json()["task_id"], accepted.headers["x-request-id"]
    client.wait_final(task_id)

    def lines(kind: str) -> list[str]:
        logs = [p.text() for name, p in stack.processes.items() if name.startswith(kind)]
        return [line for text in logs for line in text.splitlines() if task_id in line]

    assert any(f"[task {task_id}] [request {request_id}]" in line for line in lines("api"))
    done = wait_for(lambda: [line for line in lines("analysis") if " done in " in line], 5, "it")
    assert done[0].endswith(f"[task {task_id}]")
    assert client.get("/ready").status_code == 200
