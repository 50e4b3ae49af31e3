"""Ingestion beside foreground analyses, with real workers: it yields, and comes back by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.domain import TaskKind, TaskState
from tests.support.analysis.desk import INSTANCE, Desk
from tests.support.media.media import make_clip
from tests.support.system.stopwatch import Stopwatch
from tests.support.waiting import wait_for

INGEST = TaskKind.INGEST


@pytest.fixture
def desk(tmp_path: Path, redis_url: str) -> Iterator[Desk]:
    """Its workers do one Item at a time."""
    desk = Desk(tmp_path, redis_url)
    desk.stack.settings["RUSHES_DECODE_THREADS"] = "1"
    yield desk
    desk.close()


def clips(desk: Desk, count: int, seconds: int = 1) -> list[Path]:
    """Files of different content."""
    return [
        make_clip(desk.folder / f"{seconds}s-{n}.mp4", shots=(((n, 90, 200 - n), float(seconds)),))
        for n in range(count)
    ]


def holds(desk: Desk, count: int) -> None:
    """Wait until a worker has come to second 2 of a file so many times."""
    wait_for(lambda: len(desk.wait_marker()) >= count, 20, f"hold number {count}; {desk.logs()}")


def tries(desk: Desk, task_id: str, item_id: int = 0) -> list[str | None]:
    return desk.client.hmget(f"rushes:{INSTANCE}:item:{task_id}:{item_id}", ["lost", "errors"])


def test_ten_foreground_tasks_in_a_row_interrupt_one_file_and_cost_it_no_try(desk: Desk) -> None:
    (long,) = clips(desk, 1, 4)
    shorts = clips(desk, 10)
    desk.worker_with(0, do="hold")
    ingest = desk.submit([long], kind=INGEST)
    holds(desk, 1)
    for number, short in enumerate(shorts):
        stopwatch = Stopwatch(desk.stack)
        foreground = desk.submit([short])
        assert stopwatch.seconds() < 0.5, "the request waited for ingestion"
        assert desk.wait_final(foreground).status is TaskState.COMPLETED
        stopwatch = Stopwatch(desk.stack)
        holds(desk, number + 2)
        assert stopwatch.seconds() < 5, "ingestion came back late"
    assert tries(desk, ingest) == ["0", "0"]
    desk.release()
    assert desk.wait_final(ingest).status is TaskState.COMPLETED


def test_foreground_tasks_that_follow_each_other_at_once_starve_nothing(desk: Desk) -> None:
    (long,) = clips(desk, 1, 4)
    shorts = clips(desk, 5)
    desk.worker_with(0, do="hold")
    ingest = desk.submit([long], kind=INGEST)
    holds(desk, 1)
    for short in shorts:
        foreground = desk.submit([short])
        assert desk.wait_final(foreground).status is TaskState.COMPLETED
    holds(desk, 2)
    desk.release()
    assert desk.wait_final(ingest).status is TaskState.COMPLETED
    assert tries(desk, ingest) == ["0", "0"]


def test_what_an_idle_worker_refused_is_taken_up_when_the_foreground_has_ended(desk: Desk) -> None:
    """One worker holds the foreground, the other takes and refuses every job of ingestion."""
    (long,) = clips(desk, 1, 4)
    shorts = clips(desk, 6)
    for number in range(2):
        desk.worker_with(number, do="hold")
    wait_for(lambda: len(desk.hearts()) == 2, 20, "both workers")
    foreground = desk.submit([long])
    holds(desk, 1)
    ingest = desk.submit(*([short] for short in shorts), kind=INGEST)
    wait_for(lambda: desk.jobs.waiting("analysis") == 0, 10, "all jobs of ingestion taken")
    assert desk.record(ingest).status is TaskState.QUEUED
    desk.release()
    desk.wait_final(foreground)
    stopwatch = Stopwatch(desk.stack)
    wait_for(lambda: desk.record(ingest).status is not TaskState.QUEUED, 20, "ingestion")
    assert stopwatch.seconds() < 4
    assert desk.wait_final(ingest).status is TaskState.COMPLETED


def test_several_workers_share_one_ingest_task(desk: Desk) -> None:
    longs = clips(desk, 3, 4)
    for number in range(3):
        desk.worker_with(number, do="hold")
    wait_for(lambda: len(desk.hearts()) == 3, 30, "the workers")
    ingest = desk.submit(*([long] for long in longs), kind=INGEST)
    wait_for(lambda: len(set(desk.wait_marker())) == 3, 20, "a file in the hands of each")
    desk.release()
    assert desk.wait_final(ingest).status is TaskState.COMPLETED
    assert len({file.worker for file in desk.ledger.files(ingest)}) == 3


def test_a_foreground_task_goes_before_128_waiting_items_of_ingestion(desk: Desk) -> None:
    (long,) = clips(desk, 1, 4)
    (short,) = clips(desk, 1)
    desk.worker_with(0, do="hold")
    ingest = desk.submit(*([long] for _ in range(128)), kind=INGEST)
    holds(desk, 1)
    assert desk.jobs.waiting("analysis") > 100
    stopwatch = Stopwatch(desk.stack)
    foreground = desk.submit([short])
    assert desk.wait_final(foreground).status is TaskState.COMPLETED
    assert stopwatch.seconds() < 4
    assert not desk.record(ingest).status.is_final
