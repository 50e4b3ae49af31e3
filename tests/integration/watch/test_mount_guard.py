"""A root that vanishes, empties or becomes another one is waited for; nothing is forgotten."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.watch.folders import WatchFolder
from shared.watch.options import FileGroup
from tests.support.skip_or_fail import skip_or_fail
from tests.support.watch.ingest_stack import IngestStack, still

NAMES = ("a.png", "b.png", "c.png")


@pytest.fixture
def folder(served: IngestStack) -> WatchFolder:
    """Three files, all of them analysed."""
    for n, name in enumerate(NAMES):
        still(served.media / name, n)
    folder = served.watch()
    served.start_watching()
    served.watcher()
    served.wait_processed(folder, *NAMES)
    return folder


def settled(served: IngestStack, folder: WatchFolder) -> None:
    """All is as it was, nothing was analysed again, and what comes is taken up."""
    served.wait_processed(folder, *NAMES)
    assert served.ingested() == len(NAMES)
    still(served.media / "new.png", 99)
    served.wait_processed(folder, *NAMES, "new.png")
    assert set(served.published().values()) == {1}


@contextlib.contextmanager
def mounted_over(target: Path, *command: str) -> Iterator[None]:
    if subprocess.run(["mount", *command, str(target)], capture_output=True).returncode:
        skip_or_fail("this user may not mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(target)], check=False)


def test_a_root_that_is_renamed_away_and_back(served: IngestStack, folder: WatchFolder) -> None:
    away = served.folder / "away"
    served.media.rename(away)
    served.wait_reason(folder, "is missing; is its disk")
    assert set(served.processed(folder)) == set(NAMES)
    away.rename(served.media)
    settled(served, folder)


def test_an_empty_folder_in_its_place(served: IngestStack, folder: WatchFolder) -> None:
    away = served.folder / "away"
    served.media.rename(away)
    served.media.mkdir()
    served.wait_reason(folder, "of 3 known files 0 are there")
    assert set(served.processed(folder)) == set(NAMES)
    served.media.rmdir()
    away.rename(served.media)
    settled(served, folder)


def test_an_empty_disk_mounted_over_it(served: IngestStack, folder: WatchFolder) -> None:
    with mounted_over(served.media, "-t", "tmpfs", "tmpfs"):
        served.wait_reason(folder, "known files 0 are there")
        assert set(served.processed(folder)) == set(NAMES)
    settled(served, folder)


def test_another_volume_is_accepted_when_a_user_says_so(
    served: IngestStack, folder: WatchFolder
) -> None:
    other = served.folder / "other"
    still(other / "x.png", 50)
    with mounted_over(served.media, "--bind", str(other)):
        served.wait_reason(folder, "Another volume")
        assert set(served.processed(folder)) == set(NAMES)
        served.ask_retry(folder)
        served.wait_processed(folder, "x.png")


def test_a_mount_that_goes_and_comes_back_under_other_numbers(served: IngestStack) -> None:
    """A bind mount of a tmpfs whose device number is new each time, as after a reboot."""
    disk = served.folder / "disk"
    disk.mkdir()
    keep = served.folder / "keep"
    for n, name in enumerate(NAMES):
        still(keep / name, n)
    with mounted_over(disk, "-t", "tmpfs", "tmpfs"):
        subprocess.run(["cp", "-a", *map(str, keep.iterdir()), str(disk)], check=True)
        folder = served.watch(disk)
        served.start_watching()
        served.watcher()
        served.wait_processed(folder, *NAMES)
    served.wait_reason(folder, "known files 0 are there")
    with mounted_over(disk, "-t", "tmpfs", "tmpfs"):
        subprocess.run(["cp", "-a", *map(str, keep.iterdir()), str(disk)], check=True)
        served.wait_state("waiting")
        still(disk / "new.png", 99)
        served.wait_processed(folder, *NAMES, "new.png")
        assert served.ingested() == len(NAMES) + 1


def test_a_root_that_is_absent_at_the_start_of_the_watcher(
    served: IngestStack, folder: WatchFolder
) -> None:
    away = served.folder / "away"
    assert served.stack.processes["watcher-0"].end() == 0
    served.media.rename(away)
    served.media.mkdir()
    served.watcher(1)
    served.wait_reason(folder, "known files 0 are there")
    served.media.rmdir()
    away.rename(served.media)
    settled(served, folder)


def test_a_root_that_goes_while_its_files_are_worked_on_counts_no_try(ingest: IngestStack) -> None:
    for n, name in enumerate(NAMES):
        still(ingest.media / name, n)
    folder = ingest.watch()
    ingest.start_watching()
    ingest.watcher()
    ingest.wait_state("running")
    away = ingest.folder / "away"
    ingest.media.rename(away)
    ingest.worker_with_fake_embedder()
    ingest.wait_reason(folder, "is missing; is its disk")
    pending = ingest.group(folder, FileGroup.PENDING)
    assert set(pending) == set(NAMES)
    assert {file.tries for file in pending.values()} == {0}
    away.rename(ingest.media)
    ingest.wait_processed(folder, *NAMES)
