"""A disk or folder that goes away in the middle of an Item fails no file, and is not waited for
longer than it is away.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from shared.domain import TaskState
from tests.support.analysis.desk import INSTANCE, Desk
from tests.support.running.long_form import by_form
from tests.support.system.removable_disk import RemovableDisk, removable_disk
from tests.support.system.stopwatch import Stopwatch
from tests.support.waiting import wait_for

STILLS = 192
AN_ITEM = 64
RESUMED_S = 5.0
A_LOOK_S = 0.3


@pytest.fixture
def desk(tmp_path: Path, redis_url: str) -> Iterator[Desk]:
    desk = Desk(tmp_path, redis_url)
    desk.stack.settings = {
        "RUSHES_MEDIA_ROOTS": str(tmp_path / "media"),
        "RUSHES_CACHE_ROOTS": str(tmp_path),
    }
    yield desk
    desk.close()


@contextlib.contextmanager
def disk_at(desk: Desk, point: Path) -> Iterator[RemovableDisk]:
    with removable_disk(desk.folder / "kept", point) as disk:
        try:
            yield disk
        finally:
            desk.stack.stop()


def stills(folder: Path, count: int = STILLS) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{n:03}.png" for n in range(count)]
    for number, path in enumerate(paths):
        Image.new("RGB", (48, 32), (number % 256, number // 256, 99)).save(path)
    return paths


def items(paths: list[Path]) -> list[list[Path]]:
    return [paths[at : at + AN_ITEM] for at in range(0, len(paths), AN_ITEM)]


def wait_progress(desk: Desk, task_id: str, percent: float) -> None:
    """Until the worker is in the middle of an Item: progress counts its files one by one."""
    wait_for(lambda: desk.record(task_id).progress > percent, 60, f"progress; {desk.logs()}")


def wait_for_the_reason(desk: Desk, words: str) -> None:
    def is_said() -> bool:
        return any(h.state == "waiting" and words in h.message for h in desk.hearts())

    wait_for(is_said, 20, f"a heartbeat that says {words!r}; {desk.logs()}")


def resumed_after(desk: Desk, task_id: str, count: int) -> float:
    """Seconds until an Item is in work: a lease that outlasts a look at the disk, or the end."""
    stopwatch = Stopwatch(desk.stack)
    first_seen: dict[tuple[str, ...], float] = {}

    def in_work() -> float | None:
        for n in range(count):
            fields = ("state", "token")
            lease = str(n), *desk.client.hmget(f"rushes:{INSTANCE}:item:{task_id}:{n}", *fields)
            seen_at = first_seen.setdefault(lease, stopwatch.seconds())
            if lease[1] == "leased" and stopwatch.seconds() - seen_at > A_LOOK_S:
                return seen_at
        if desk.record(task_id).status is TaskState.COMPLETED:  # known files are done in no time
            return stopwatch.seconds()
        return None

    return wait_for(in_work, 40, f"work again; {desk.logs()}")


def one_round(desk: Desk, disk: RemovableDisk, folder: Path, percent: float, words: str) -> None:
    task_id = desk.submit(*items(stills(folder)))
    wait_progress(desk, task_id, percent)
    disk.go()
    wait_for_the_reason(desk, words)
    disk.come()
    took_s = resumed_after(desk, task_id, STILLS // AN_ITEM)
    print(f"resumed after {took_s:.1f} s")
    assert took_s < RESUMED_S
    all_done(desk, task_id, STILLS)


def all_done(desk: Desk, task_id: str, count: int) -> None:
    record = desk.wait_final(task_id, 90)
    assert record.status is TaskState.COMPLETED
    assert (record.current, record.failed_files) == (count, ())


@pytest.mark.timeout(400)
def test_a_root_that_goes_in_the_middle_of_items_fails_no_still(desk: Desk) -> None:
    root = desk.folder / "media"
    with disk_at(desk, root) as disk:
        desk.worker()
        for number, percent in enumerate(by_form(short=(5, 35), long=(5, 20, 35))):
            one_round(desk, disk, root / str(number), percent, str(root))


@pytest.mark.timeout(200)
def test_a_disk_below_the_root_that_goes_in_the_middle_of_items_fails_no_still(desk: Desk) -> None:
    point = desk.folder / "media" / "card"
    with disk_at(desk, point) as disk:
        (desk.folder / "media" / "notes.txt").write_text("the root stays")
        desk.worker()
        one_round(desk, disk, point / "a", 5, f"{point} is not mounted")


def test_a_folder_that_is_renamed_away_for_a_while_is_waited_for(desk: Desk) -> None:
    folder, away = desk.folder / "media" / "shoot", desk.folder / "media" / "away"
    paths = stills(folder, 80)
    desk.worker()
    task_id = desk.submit(*([path] for path in paths))
    wait_progress(desk, task_id, 5)
    folder.rename(away)
    wait_for_the_reason(desk, f"The folder {folder} is missing")
    before, stopwatch = desk.record(task_id).current, Stopwatch(desk.stack)
    away.rename(folder)
    wait_for(lambda: desk.record(task_id).current > before, 20, "the next file")
    assert stopwatch.seconds() < RESUMED_S
    all_done(desk, task_id, len(paths))


def test_a_file_that_is_deleted_from_a_folder_that_stays_fails_at_once(desk: Desk) -> None:
    first, *deleted = stills(desk.folder / "media" / "shoot", 4)
    desk.worker_with_fake_embedder()
    all_done(desk, desk.submit([first]), 1)
    for path in deleted:
        path.unlink()
    record = desk.wait_final(desk.submit(deleted), 10)
    assert {file.error for file in record.failed_files} == {"The file does not exist."}


def test_a_folder_that_stays_away_is_given_up_after_a_while(desk: Desk) -> None:
    folder = desk.folder / "media" / "shoot"
    paths = stills(folder, 40)
    (desk.folder / "media" / "notes.txt").write_text("the root stays")
    desk.worker_with(gone_folder_s=4)
    task_id = desk.submit(*([path] for path in paths))
    wait_progress(desk, task_id, 5)
    shutil.rmtree(folder)
    gone_at = time.monotonic()
    record = desk.wait_final(task_id, 30)
    assert time.monotonic() - gone_at > 4
    assert record.status is TaskState.COMPLETED
    assert {file.error for file in record.failed_files} == {"The file does not exist."}
