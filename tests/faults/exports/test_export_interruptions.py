"""Exports when something breaks in the middle of a clip: disks, workers, clients, Redis. Nothing
half done bears a name, and one clip's trouble is no other's.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.analysis.desk import INSTANCE
from tests.support.exports.export_desk import (
    PART,
    ExportDesk,
    clip,
    codes,
    exported,
    shared_api,
    shown,
)
from tests.support.media.media import Encoding, make_clip
from tests.support.private_redis import PrivateRedis
from tests.support.stack import Client
from tests.support.system.stopwatch import Stopwatch
from tests.support.system.tiny_disk import tiny_disk
from tests.support.waiting import wait_for

DAY_S = 86_400
FAST = Encoding(b_frames=0, options={"preset": "ultrafast"})


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, _shared_redis: PrivateRedis) -> Iterator[Client]:
    with shared_api(tmp_path_factory.mktemp("api"), _shared_redis.url) as api:
        yield api


@pytest.fixture
def desk(api: Client, tmp_path: Path, redis_url: str) -> Iterator[ExportDesk]:
    desk = ExportDesk(tmp_path, redis_url, api=api)
    yield desk
    desk.close()


# Disks and folders ----------------------------------------------------------------------------


def test_item_18_a_disk_that_fills_up_in_the_middle_fails_that_clip_alone_and_leaves_nothing(
    desk: ExportDesk, tmp_path: Path
) -> None:
    film = desk.film(seconds=4)
    desk.waiting_worker(share=0.3)
    with tiny_disk(tmp_path / "small", kib=48 << 10) as folder:
        waiting = desk.exporting(
            clip(film, 0, 4),
            clip(film, 0, 0.2),
            mode="encode",
            codec="dnxhr",
            output_dir=str(folder),
        )
        desk.wait_held()
        (part,) = folder.iterdir()
        assert PART.fullmatch(part.name)
        _fill(folder)
        desk.release.touch()
        wait_for(lambda: not part.exists(), 30, "the part to go")
        (folder / "fill").unlink()
        answer = waiting.result(60)
        assert codes(answer) == [(0, "disk_full")]
        assert "is full" in answer["failed"][0]["error"]
        assert exported(answer) in ([1], [])  # the second may have met the full disk as well
        assert all(not PART.fullmatch(path.name) for path in folder.iterdir())


def _fill(folder: Path) -> None:
    with (folder / "fill").open("wb") as file:
        free = os.statvfs(folder)
        file.write(b"x" * (free.f_bavail * free.f_frsize))


def test_item_18_a_folder_that_vanishes_in_the_middle_fails_the_clip(desk: ExportDesk) -> None:
    film, away = desk.film(), desk.out / "away"
    away.mkdir()
    desk.waiting_worker(share=0.3)
    waiting = desk.exporting(clip(film, 0, 4), mode="encode", output_dir=str(away))
    desk.wait_held()
    for part in away.iterdir():
        part.unlink()
    away.rmdir()
    desk.release.touch()
    assert codes(waiting.result(60)) == [(0, "not_writable")]
    assert desk.names() == []


# Workers that die, stop, sleep -----------------------------------------------------------------


def test_kill_9_in_the_middle_leaves_no_file_under_a_name_and_the_next_worker_does_the_clip(
    desk: ExportDesk,
) -> None:
    film = desk.film()
    desk.waiting_worker(share=0.3, is_deaf=True)
    waiting = desk.exporting(clip(film, 0, 4, name="a"), mode="encode")
    (pid,) = desk.wait_held()
    os.kill(pid, signal.SIGKILL)
    (part,) = desk.names()
    assert PART.fullmatch(part)
    desk.stack.start_worker("export", 1)
    answer = waiting.result(60)
    assert [os.path.basename(made["output_path"]) for made in answer["exported"]] == ["a.mov"]
    assert shown(desk.out / "a.mov") == list(range(100))
    assert desk.names() == ["a.mov"]  # whoever took the lease over swept the part


def test_parts_of_dead_writers_go_at_the_next_export_and_those_of_unknown_ones_after_a_week(
    desk: ExportDesk,
) -> None:
    film = desk.film()
    desk.waiting_worker(share=0.3, is_deaf=True)
    task_id = desk.in_background(clip(film, 0, 4, name="a"), mode="encode")
    (pid,) = desk.wait_held()
    desk.client.ok("/analyze/cancel", task_id=task_id)
    os.kill(pid, signal.SIGKILL)  # nobody takes this clip again
    (dead,) = desk.names()
    unknown = [".a.mov.0123abcd.part", f".b.mov.{'0' * 12}-0-1.0123abcd.part"]
    old = [".c.mov.0123abcd.part", f".d.mov.{'0' * 12}-0-1.0123abcd.part"]
    no_parts = [".notes.part", "b.mov.0123abcd.part", ".x.0123ABCD.part"]
    for name in (*unknown, *old, *no_parts):
        (desk.out / name).write_bytes(b"x")
    for name in unknown:
        os.utime(desk.out / name, (time.time() - 6 * DAY_S,) * 2)
    for name in (*old, *no_parts):
        os.utime(desk.out / name, (time.time() - 7 * DAY_S - 60,) * 2)
    desk.stack.start_worker("export", 1)
    desk.client.wait_final(task_id)
    assert dead in desk.names()
    assert exported(desk.export(clip(film, 0, 0.2, name="b"))) == [0]
    assert desk.names() == sorted([*unknown, *no_parts, "b.mov"])


def test_the_part_of_a_writer_that_lives_stays(desk: ExportDesk) -> None:
    film = desk.film()
    desk.waiting_worker(share=0.3)
    waiting = desk.exporting(clip(film, 0, 4, name="a"), mode="encode")
    desk.wait_held()
    (part,) = desk.names()
    os.utime(desk.out / part, (time.time() - 6 * DAY_S,) * 2)
    desk.stack.start_worker("export", 1)
    desk.wait_workers(2)
    assert exported(desk.export(clip(film, 0, 0.2, name="b"))) == [0]
    assert desk.names() == [part, "b.mov"]
    desk.release.touch()
    assert exported(waiting.result(60)) == [0]
    assert desk.names() == ["a.mov", "b.mov"]


def test_sigterm_hands_the_clip_back_and_the_next_worker_does_it(desk: ExportDesk) -> None:
    film = desk.film()
    worker = desk.waiting_worker(share=0.3)
    waiting = desk.exporting(clip(film, 0, 4, name="a"), mode="encode")
    desk.wait_held()
    assert worker.end() == 0
    assert desk.names() == []
    desk.release.touch()
    desk.stack.start_worker("export", 1)
    assert exported(waiting.result(60)) == [0]
    assert desk.names() == ["a.mov"]


def test_a_cancel_in_the_middle_of_an_encode_is_heard_within_two_seconds(desk: ExportDesk) -> None:
    film = make_clip(desk.media / "film.mov", 60, encoding=FAST)
    desk.waiting_worker(share=0.02)
    waiting = desk.exporting(clip(film, 0, 60), clip(film, 0, 60), mode="encode", codec="hevc")
    desk.wait_held()
    desk.release.touch()  # it encodes when the stop comes
    stopwatch = Stopwatch(desk.stack)
    assert desk.client.ok("/analyze/cancel", task_id=desk.newest_task())["cancelled"]
    answer = waiting.result(30)
    assert stopwatch.seconds() < 2.5
    assert codes(answer) == [(0, "cancelled"), (1, "cancelled")]
    assert desk.names() == []
    assert desk.found(desk.newest_task())["status"] == "cancelled"


def test_a_worker_that_has_lost_its_lease_in_its_sleep_publishes_nothing(desk: ExportDesk) -> None:
    film = desk.film()
    desk.waiting_worker(at_end=True, is_deaf=True)
    waiting = desk.exporting(clip(film, 0, 4, name="a"), mode="encode")
    (pid,) = desk.wait_held()
    os.kill(pid, signal.SIGSTOP)
    try:
        desk.stack.start_worker("export", 1)
        assert exported(waiting.result(60)) == [0]
        assert len([name for name in desk.names() if not PART.fullmatch(name)]) == 1
        desk.release.touch()
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: desk.names() == ["a.mov"], 20, "the late worker to give up")
    log = desk.stack.processes["export-0"]
    wait_for(lambda: "was taken up by another worker" in log.text(), 10, "its words")
    assert desk.names() == ["a.mov"]


def test_a_client_that_hangs_up_stops_the_encode(desk: ExportDesk) -> None:
    film = make_clip(desk.media / "film.mov", 60, encoding=FAST)
    desk.waiting_worker(share=0.02)
    body = desk.body(clip(film, 0, 60), mode="encode", codec="hevc")
    program = (
        "import httpx, json, sys; httpx.post(sys.argv[1], json=json.loads(sys.argv[2]),"
        "headers={'X-License-Key': sys.argv[3]}, timeout=90)"
    )
    key = desk.client.http.headers["X-License-Key"]
    process = _python(program, f"{desk.client.url}/api/v1/export/clips", body, key)
    desk.wait_held()
    desk.release.touch()
    process.kill()
    process.wait()
    record = desk.client.wait_final(desk.newest_task(), timeout_s=5)
    assert record["status"] == "cancelled"
    assert desk.names() == []


def _python(program: str, url: str, body: dict, key: str) -> subprocess.Popen[bytes]:
    import json
    import sys

    return subprocess.Popen([sys.executable, "-c", program, url, json.dumps(body), key])


def test_an_error_of_ours_is_tried_three_times_and_told_and_stops_no_other(
    desk: ExportDesk,
) -> None:
    cut = desk.all_key_frames()
    desk.waiting_worker(breaks=True)
    answer = desk.export(clip(cut, 0, 1))
    assert codes(answer) == [(0, "internal")]
    assert "broken on purpose" in answer["failed"][0]["error"]
    prefix = f"rushes:{INSTANCE}:item:{desk.newest_task()}:0"
    assert desk.desk.client.hget(prefix, "errors") == "3"


def test_a_redis_that_is_away_when_the_clip_is_cut_is_waited_for(tmp_path: Path, own_redis) -> None:
    desk = ExportDesk(tmp_path, own_redis.url)
    try:
        film = desk.film()
        desk.waiting_worker(at_end=True)
        waiting = desk.exporting(clip(film, 0, 4, name="a"), mode="encode")
        desk.wait_held()
        own_redis.freeze()
        desk.release.touch()
        log = desk.stack.processes["export-0"]
        assert log.popen.poll() is None
        own_redis.thaw()
        assert exported(waiting.result(60)) == [0]
        assert desk.names() == ["a.mov"]
    finally:
        desk.close()
