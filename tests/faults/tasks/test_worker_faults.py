"""What a worker's death, a stop, a full disk or an absent Redis leave behind: nothing half-made."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.domain import TaskKind, TaskState
from shared.ledger import ledger
from shared.redis.heartbeats import live
from tests.support.analysis.desk import INSTANCE, Desk
from tests.support.media.media import Encoding, make_clip
from tests.support.private_redis import PrivateRedis
from tests.support.system.stopwatch import Stopwatch
from tests.support.system.tiny_disk import tiny_disk
from tests.support.waiting import wait_for
from workers.liveness import RENEW_EVERY_S

LEASE_S = 9.0


@pytest.fixture(params=["1", "4"])
def desk(tmp_path: Path, redis_url: str, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """With so many decode threads."""
    desk = Desk(tmp_path, redis_url)
    desk.stack.settings["RUSHES_DECODE_THREADS"] = request.param
    yield desk
    desk.close()


def test_a_killed_worker_loses_its_file_to_another_within_15_s(desk: Desk) -> None:
    clip = make_clip(desk.folder / "clip.mp4", 4)
    desk.worker_with(0, do="hold")
    task_id = desk.submit([clip])
    (first,) = desk.wait_marker()
    os.kill(first, signal.SIGKILL)
    stopwatch = Stopwatch(desk.stack)
    desk.release()
    desk.worker_with(1, do="hold")
    record = desk.wait_final(task_id)
    assert record.status is TaskState.COMPLETED
    assert stopwatch.seconds() < 15
    assert not record.failed_files
    counted = ledger.totals_by_name(desk.client.hgetall(ledger.totals_key(INSTANCE)))
    assert counted["leases_lost",] == 1
    assert counted["footage_ms", "video"] == 4000, "what both have worked through counts once"


def test_a_worker_that_was_killed_beside_another_is_missed_before_its_lease_is_over(
    desk: Desk,
) -> None:
    task_id = desk.submit([make_clip(desk.folder / "clip.mp4", 4)])
    desk.worker_with(0, do="hold")
    (first,) = desk.wait_marker()
    desk.worker_with(1, do="hold")
    wait_for(lambda: len(live(desk.client, INSTANCE)) == 2, 30, "both of them")
    os.kill(first, signal.SIGKILL)
    stopwatch = Stopwatch(desk.stack)
    wait_for(lambda: len(desk.wait_marker()) == 2, 20, "the other one on the same file")
    assert stopwatch.seconds() < LEASE_S - RENEW_EVERY_S
    desk.release()
    assert desk.wait_final(task_id).status is TaskState.COMPLETED


def test_a_file_that_kills_its_worker_three_times_fails_with_the_reason(desk: Desk) -> None:
    clip = make_clip(desk.folder / "clip.mp4", 4)
    task_id = desk.submit([clip])
    for number in range(3):
        desk.worker_with(number, do="hold")

        def reached(count: int = number + 1) -> bool:
            return len(desk.wait_marker()) >= count

        wait_for(reached, 40, "the next worker on the same file")
        desk.kill(desk.wait_marker()[-1])
    desk.worker_with_fake_embedder(3)  # its thread sweeps
    record = desk.wait_final(task_id)
    assert record.status is TaskState.FAILED
    assert "died 3 times" in (record.error or "")


def test_sigterm_hands_the_file_back_and_counts_no_try(desk: Desk) -> None:
    clip = make_clip(desk.folder / "clip.mp4", 4)
    first = desk.worker_with(0, do="hold")
    task_id = desk.submit([clip])
    desk.wait_marker()
    assert first.end(timeout_s=5) == 0
    assert desk.artefacts() == []
    assert desk.client.hmget(f"rushes:default:item:{task_id}:0", "lost", "errors") == ["0", "0"]
    desk.release()
    desk.worker_with(1, do="hold")
    assert desk.wait_final(task_id).status is TaskState.COMPLETED


def test_cancel_is_heard_within_a_second_and_leaves_no_half_artefact(desk: Desk) -> None:
    clips = [make_clip(desk.folder / f"{n}.mp4", 4) for n in range(3)]
    desk.worker_with(0, do="hold")
    task_id = desk.submit(*([clip] for clip in clips))
    desk.wait_marker()
    wait_for(lambda: _temporaries(desk), 5, "the drafts of the file in work")
    stopwatch = Stopwatch(desk.stack)
    assert desk.ledger.stop().cancelled
    record = desk.wait_final(task_id)
    assert stopwatch.seconds() < 1.0
    assert record.status is TaskState.CANCELLED
    assert desk.artefacts() == []


def test_a_stop_that_takes_four_seconds_to_unwind_keeps_its_lease_and_ends_cancelled(
    desk: Desk,
) -> None:
    clip = make_clip(desk.folder / "clip.mp4", 4)
    desk.worker_with(0, do="unwind", seconds=4)
    task_id = desk.submit([clip])
    desk.wait_marker()
    asked_at, stopwatch = time.monotonic(), Stopwatch(desk.stack)
    desk.ledger.stop(task_id)
    record = desk.wait_final(task_id)
    assert time.monotonic() - asked_at > 3.5
    assert stopwatch.seconds() < 8
    assert record.status is TaskState.CANCELLED


def test_an_ingest_file_is_handed_back_when_a_foreground_task_comes(desk: Desk) -> None:
    slow = make_clip(desk.folder / "slow.mp4", 4)
    short = make_clip(desk.folder / "short.mp4", 1)
    desk.worker_with(0, do="hold")
    ingest = desk.submit([slow], kind=TaskKind.INGEST)
    desk.wait_marker()
    foreground = desk.submit([short])
    assert desk.wait_final(foreground).status is TaskState.COMPLETED
    assert not desk.record(ingest).status.is_final
    desk.release()
    assert desk.wait_final(ingest).status is TaskState.COMPLETED


def test_a_worker_that_hangs_in_native_code_ends_itself_with_a_traceback(desk: Desk) -> None:
    clip = make_clip(desk.folder / "clip.mp4", 4)
    hung = desk.worker_with(0, do="hang", stall_s=1.5)
    task_id = desk.submit([clip])
    desk.wait_marker()
    assert hung.popen.wait(15) != 0
    assert "Timeout (0:00:0" in hung.text()
    assert "analysis_with_a_stage.py" in hung.text()
    desk.release()
    desk.worker_with_fake_embedder(1)
    assert desk.wait_final(task_id).status is TaskState.COMPLETED


def test_a_full_disk_fails_the_task_with_a_clear_reason_and_leaves_no_half_artefact(
    desk: Desk,
) -> None:
    clip = make_clip(desk.folder / "clip.mp4", 24, size=(640, 360), encoding=Encoding(fps=2))
    with tiny_disk(desk.cache, kib=64):
        try:
            desk.worker()
            record = desk.wait_final(desk.submit([clip]))
            assert record.status is TaskState.FAILED
            assert "is full" in (record.error or "")
            assert desk.artefacts() == []
        finally:
            desk.stack.stop()  # nobody may hold the disk


def test_redis_away_stops_no_work_and_the_result_is_settled_when_it_is_back(
    tmp_path: Path, own_redis: PrivateRedis
) -> None:
    # Paused, not stopped: this Redis keeps no data on disk, as a stalled one would keep its own.
    desk = Desk(tmp_path, own_redis.url)
    try:
        clip = make_clip(desk.folder / "clip.mp4", 4)
        worker = desk.worker_with(0, do="hold")
        task_id = desk.submit([clip])
        desk.wait_marker()
        own_redis.freeze()
        desk.release()
        wait_for(lambda: _manifests(desk) == 2, 15, "both artefacts, without Redis")
        own_redis.thaw()
        assert desk.wait_final(task_id).status is TaskState.COMPLETED
        assert worker.popen.poll() is None
        second = desk.submit([make_clip(desk.folder / "next.mp4", 1)])
        assert desk.wait_final(second).status is TaskState.COMPLETED
    finally:
        desk.close()


def test_a_worker_outlives_a_redis_that_restarts_empty(
    tmp_path: Path, own_redis: PrivateRedis
) -> None:
    desk = Desk(tmp_path, own_redis.url)
    try:
        worker = desk.worker_with_fake_embedder()
        wait_for(desk.hearts, 20, "the worker")
        own_redis.stop()
        wait_for(lambda: "Redis is away" in worker.text(), 10, "the worker noticing")
        assert worker.popen.poll() is None
        began = time.monotonic()
        wait_for(lambda: time.monotonic() - began > 3, 10, "the worker trying several times")
        own_redis.start()
        wait_for(lambda: "Redis answers again" in worker.text(), 10, "the worker noticing")
        assert worker.text().count("Redis is away") == 1, "one warning an outage"
        assert "ERROR" not in worker.text()
        task_id = desk.submit([make_clip(desk.folder / "clip.mp4", 1)])
        assert desk.wait_final(task_id).status is TaskState.COMPLETED
        assert worker.end() == 0
    finally:
        desk.close()


def test_sigterm_ends_an_idle_worker_at_once_even_without_redis(
    tmp_path: Path, own_redis: PrivateRedis
) -> None:
    desk = Desk(tmp_path, own_redis.url)
    try:
        worker = desk.worker_with_fake_embedder()
        wait_for(desk.hearts, 20, "the worker")
        own_redis.stop()
        assert worker.end(timeout_s=6) == 0
    finally:
        desk.close()


def _temporaries(desk: Desk) -> list[str]:
    return [name for name in desk.artefacts() if not name.startswith("manifest")]


def _manifests(desk: Desk) -> int:
    return sum(name.startswith("manifest.") for name in desk.artefacts())
