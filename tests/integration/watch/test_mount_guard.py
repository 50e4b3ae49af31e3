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
from tests.support.watch.ingest_stack import IngestStack, still

NAMES = ("a.png", "b.png", "c.png")


@pytest.fixture
def folder(ingest: IngestStack) -> WatchFolder:
    """Three files, all of them analysed."""
    for n, name in enumerate(NAMES):
        still(ingest.media / name, n)
    ingest.worker()
    folder = ingest.watch()
    ingest.start_watching()
    ingest.watcher()
    ingest.wait_processed(folder, *NAMES)
    return folder


def settled(ingest: IngestStack, folder: WatchFolder) -> None:
    """All is as it was, nothing was analysed again, and what comes is taken up."""
    ingest.wait_processed(folder, *NAMES)
    assert ingest.ingested() == len(NAMES)
    still(ingest.media / "new.png", 99)
    ingest.wait_processed(folder, *NAMES, "new.png")
    assert set(ingest.published().values()) == {1}


@contextlib.contextmanager
def mounted_over(target: Path, *command: str) -> Iterator[None]:
    if subprocess.run(["mount", *command, str(target)], capture_output=True).returncode:
        skip_or_fail("this user may not mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(target)], check=False)


def test_a_root_that_is_renamed_away_and_back(ingest: IngestStack, folder: WatchFolder) -> None:
    away = ingest.folder / "away"
    ingest.media.rename(away)
    ingest.wait_reason(folder, "is missing; is its disk")
    assert set(ingest.processed(folder)) == set(NAMES)
    away.rename(ingest.media)
    settled(ingest, folder)


def test_an_empty_folder_in_its_place(ingest: IngestStack, folder: WatchFolder) -> None:
    away = ingest.folder / "away"
    ingest.media.rename(away)
    ingest.media.mkdir()
    ingest.wait_reason(folder, "of 3 known files 0 are there")
    assert set(ingest.processed(folder)) == set(NAMES)
    ingest.media.rmdir()
    away.rename(ingest.media)
    settled(ingest, folder)


def test_an_empty_disk_mounted_over_it(ingest: IngestStack, folder: WatchFolder) -> None:
    with mounted_over(ingest.media, "-t", "tmpfs", "tmpfs"):
        ingest.wait_reason(folder, "known files 0 are there")
        assert set(ingest.processed(folder)) == set(NAMES)
    settled(ingest, folder)


def test_another_volume_is_accepted_when_a_user_says_so(
    ingest: IngestStack, folder: WatchFolder
) -> None:
    other = ingest.folder / "other"
    still(other / "x.png", 50)
    with mounted_over(ingest.media, "--bind", str(other)):
        ingest.wait_reason(folder, "Another volume")
        assert set(ingest.processed(folder)) == set(NAMES)
        ingest.ask_retry(folder)
        ingest.wait_processed(folder, "x.png")


def test_a_mount_that_goes_and_comes_back_under_other_numbers(ingest: IngestStack) -> None:
    """A bind mount of a tmpfs whose device number is new each time, as after a reboot."""
    disk = ingest.folder / "disk"
    disk.mkdir()
    ingest.worker()
    keep = ingest.folder / "keep"
    for n, name in enumerate(NAMES):
        still(keep / name, n)
    with mounted_over(disk, "-t", "tmpfs", "tmpfs"):
        subprocess.run(["cp", "-a", *map(str, keep.iterdir()), str(disk)], check=True)
        folder = ingest.watch(disk)
        ingest.start_watching()
        ingest.watcher()
        ingest.wait_processed(folder, *NAMES)
    ingest.wait_reason(folder, "known files 0 are there")
    with mounted_over(disk, "-t", "tmpfs", "tmpfs"):
        subprocess.run(["cp", "-a", *map(str, keep.iterdir()), str(disk)], check=True)
        ingest.wait_state("waiting")
        still(disk / "new.png", 99)
        ingest.wait_processed(folder, *NAMES, "new.png")
        assert ingest.ingested() == len(NAMES) + 1


def test_a_root_that_is_absent_at_the_start_of_the_watcher(
    ingest: IngestStack, folder: WatchFolder
) -> None:
    away = ingest.folder / "away"
    assert ingest.stack.processes["watcher-0"].end() == 0
    ingest.media.rename(away)
    ingest.media.mkdir()
    ingest.watcher(1)
    ingest.wait_reason(folder, "known files 0 are there")
    ingest.media.rmdir()
    away.rename(ingest.media)
    settled(ingest, folder)


def test_a_root_that_goes_while_its_files_are_worked_on_counts_no_try(ingest: IngestStack) -> None:
    for n, name in enumerate(NAMES):
        still(ingest.media / name, n)
    folder = ingest.watch()
    ingest.start_watching()
    ingest.watcher()
    ingest.wait_state("running")
    away = ingest.folder / "away"
    ingest.media.rename(away)
    ingest.worker()
    ingest.wait_reason(folder, "is missing; is its disk")
    pending = ingest.group(folder, FileGroup.PENDING)
    assert set(pending) == set(NAMES)
    assert {file.tries for file in pending.values()} == {0}
    away.rename(ingest.media)
    ingest.wait_processed(folder, *NAMES)
