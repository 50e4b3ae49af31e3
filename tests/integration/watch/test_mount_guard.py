"""A root that vanishes, empties or becomes another one is waited for; nothing is forgotten."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.watch.choices import FileGroup
from shared.watch.folders import WatchFolder
from tests.support.skip_or_fail import skip_or_fail
from tests.support.watch.ingest_stack import Farm, still

NAMES = ("a.png", "b.png", "c.png")


@pytest.fixture
def folder(farm: Farm) -> WatchFolder:
    """Three files, all of them analysed."""
    for n, name in enumerate(NAMES):
        still(farm.media / name, n)
    farm.worker()
    folder = farm.watch()
    farm.start_watching()
    farm.watcher()
    farm.wait_processed(folder, *NAMES)
    return folder


def settled(farm: Farm, folder: WatchFolder) -> None:
    """All is as it was, nothing was analysed again, and what comes is taken up."""
    farm.wait_processed(folder, *NAMES)
    assert farm.ingested() == len(NAMES)
    still(farm.media / "new.png", 99)
    farm.wait_processed(folder, *NAMES, "new.png")
    assert set(farm.published().values()) == {1}


@contextlib.contextmanager
def mounted_over(target: Path, *command: str) -> Iterator[None]:
    if subprocess.run(["mount", *command, str(target)], capture_output=True).returncode:
        skip_or_fail("this user may not mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(target)], check=False)


def test_a_root_that_is_renamed_away_and_back(farm: Farm, folder: WatchFolder) -> None:
    away = farm.folder / "away"
    farm.media.rename(away)
    farm.wait_reason(folder, "is missing; is its disk")
    assert set(farm.processed(folder)) == set(NAMES)
    away.rename(farm.media)
    settled(farm, folder)


def test_an_empty_folder_in_its_place(farm: Farm, folder: WatchFolder) -> None:
    away = farm.folder / "away"
    farm.media.rename(away)
    farm.media.mkdir()
    farm.wait_reason(folder, "of 3 known files 0 are there")
    assert set(farm.processed(folder)) == set(NAMES)
    farm.media.rmdir()
    away.rename(farm.media)
    settled(farm, folder)


def test_an_empty_disk_mounted_over_it(farm: Farm, folder: WatchFolder) -> None:
    with mounted_over(farm.media, "-t", "tmpfs", "tmpfs"):
        farm.wait_reason(folder, "known files 0 are there")
        assert set(farm.processed(folder)) == set(NAMES)
    settled(farm, folder)


def test_another_volume_is_accepted_when_a_user_says_so(farm: Farm, folder: WatchFolder) -> None:
    other = farm.folder / "other"
    still(other / "x.png", 50)
    with mounted_over(farm.media, "--bind", str(other)):
        farm.wait_reason(folder, "Another volume")
        assert set(farm.processed(folder)) == set(NAMES)
        farm.ask_retry(folder)
        farm.wait_processed(folder, "x.png")


def test_a_mount_that_goes_and_comes_back_under_other_numbers(farm: Farm) -> None:
    """A bind mount of a tmpfs whose device number is new each time, as after a reboot."""
    disk = farm.folder / "disk"
    disk.mkdir()
    farm.worker()
    keep = farm.folder / "keep"
    for n, name in enumerate(NAMES):
        still(keep / name, n)
    with mounted_over(disk, "-t", "tmpfs", "tmpfs"):
        subprocess.run(["cp", "-a", *map(str, keep.iterdir()), str(disk)], check=True)
        folder = farm.watch(disk)
        farm.start_watching()
        farm.watcher()
        farm.wait_processed(folder, *NAMES)
    farm.wait_reason(folder, "known files 0 are there")
    with mounted_over(disk, "-t", "tmpfs", "tmpfs"):
        subprocess.run(["cp", "-a", *map(str, keep.iterdir()), str(disk)], check=True)
        farm.wait_state("waiting")
        still(disk / "new.png", 99)
        farm.wait_processed(folder, *NAMES, "new.png")
        assert farm.ingested() == len(NAMES) + 1


def test_a_root_that_is_absent_at_the_start_of_the_watcher(farm: Farm, folder: WatchFolder) -> None:
    away = farm.folder / "away"
    assert farm.stack.processes["watcher-0"].end() == 0
    farm.media.rename(away)
    farm.media.mkdir()
    farm.watcher(1)
    farm.wait_reason(folder, "known files 0 are there")
    farm.media.rmdir()
    away.rename(farm.media)
    settled(farm, folder)


def test_a_root_that_goes_while_its_files_are_worked_on_counts_no_try(farm: Farm) -> None:
    for n, name in enumerate(NAMES):
        still(farm.media / name, n)
    folder = farm.watch()
    farm.start_watching()
    farm.watcher()
    farm.wait_state("running")
    away = farm.folder / "away"
    farm.media.rename(away)
    farm.worker()
    farm.wait_reason(folder, "is missing; is its disk")
    pending = farm.group(folder, FileGroup.PENDING)
    assert set(pending) == set(NAMES)
    assert {file.tries for file in pending.values()} == {0}
    away.rename(farm.media)
    farm.wait_processed(folder, *NAMES)
