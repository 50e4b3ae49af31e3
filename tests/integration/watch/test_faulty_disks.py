"""Disks that give I/O errors: the folder waits, its files are as they were."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.watch.folders import WatchFolder
from shared.watch.options import FileGroup
from tests.support.system.faulty_disk import FaultyDisk, faulty_disk
from tests.support.watch.ingest_stack import IngestStack, still
from tests.support.watch.stepping import Steps

NAMES = ("a.png", "day1/b.png", "day2/c.png")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FaultyDisk]:
    for n, name in enumerate(NAMES):
        still(tmp_path / "source" / name, n)
    with faulty_disk(tmp_path / "source", tmp_path / "disk") as disk:
        yield disk


@pytest.fixture
def folder(served: IngestStack, disk: FaultyDisk) -> WatchFolder:
    """Three files on the disk, all of them analysed."""
    folder = served.watch(disk.mounted)
    served.start_watching()
    served.watcher()
    served.wait_processed(folder, *NAMES)
    return folder


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
def test_a_root_that_fails_is_waited_for(
    served: IngestStack, disk: FaultyDisk, folder: WatchFolder, number: int
) -> None:
    disk.fail(number, "")
    served.wait_reason(folder, str(disk.mounted))
    assert set(served.processed(folder)) == set(NAMES)
    disk.heal()
    still(served.folder / "source" / "new.png", 9)
    served.wait_processed(folder, *NAMES, "new.png")
    assert served.ingested() == 4
    assert set(served.published().values()) == {1}


def test_a_mount_whose_server_is_gone_is_waited_for(
    served: IngestStack, disk: FaultyDisk, folder: WatchFolder
) -> None:
    disk.kill()
    served.wait_reason(folder, str(disk.mounted))
    assert set(served.processed(folder)) == set(NAMES)


def test_a_directory_that_fails_keeps_its_files_and_the_rest_goes_on(
    served: IngestStack, disk: FaultyDisk, folder: WatchFolder
) -> None:
    disk.fail(errno.EIO, "day1")
    still(served.folder / "source" / "day2" / "d.png", 9)
    served.wait_processed(folder, *NAMES, "day2/d.png")
    disk.heal()
    still(served.folder / "source" / "day1" / "e.png", 10)
    served.wait_processed(folder, *NAMES, "day2/d.png", "day1/e.png")
    assert served.ingested() == 5


def test_a_file_that_fails_is_not_forgotten(steps: Steps, disk: FaultyDisk) -> None:
    run = steps.run(steps.watch(disk.mounted))
    run.step()
    assert steps.work() == len(NAMES)
    run.step()
    disk.fail(errno.EIO, "a.png")
    (disk.source / "day2" / "c.png").unlink()
    steps.walk(run)
    assert set(steps.groups(run)) == {"a.png", "b.png"}


def test_a_root_that_fails_while_its_files_are_worked_on_counts_no_try(
    ingest: IngestStack, disk: FaultyDisk
) -> None:
    folder = ingest.watch(disk.mounted)
    ingest.start_watching()
    ingest.watcher()
    ingest.wait_state("running")
    disk.fail(errno.EIO, "", *NAMES)
    ingest.worker_with_fake_embedder()
    ingest.wait_reason(folder, str(disk.mounted))
    pending = ingest.group(folder, FileGroup.PENDING)
    assert set(pending) == set(NAMES)
    assert {file.tries for file in pending.values()} == {0}
    disk.heal()
    ingest.wait_processed(folder, *NAMES)
