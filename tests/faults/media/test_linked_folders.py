"""A link to a share that hangs takes the threads of those who went there, and of nobody else."""

from __future__ import annotations

import asyncio
import functools
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.folders import Folders
from shared.errors import FolderHangs
from tests.support.system.faulty_disk import FaultyDisk, faulty_disk
from tests.support.system.stopwatch import Stopwatch
from tests.support.waiting import wait_for

MANY = 40


@pytest.fixture
def share(tmp_path: Path) -> Iterator[FaultyDisk]:
    """A share that hangs, with folders x0, x1, …; `link` beside it leads there."""
    for n in range(MANY):
        (tmp_path / "source" / f"x{n}").mkdir(parents=True)
    with faulty_disk(tmp_path / "source", tmp_path / "share") as share:
        (tmp_path / "link").symlink_to(share.mounted)
        share.hang()
        yield share
        share.come_back()


@pytest.fixture
def folders() -> Iterator[Folders]:
    found = Folders()
    yield found
    found.close()


def linked(share: FaultyDisk) -> list[str]:
    return [str(share.mounted.parent / "link" / f"x{n}") for n in range(MANY)]


def names(folder: str) -> int:
    return len(os.listdir(folder))


def named(name: str) -> int:
    return sum(thread.name.startswith(name) for thread in threading.enumerate())


def test_who_goes_elsewhere_on_the_same_disk_is_served(share: FaultyDisk, folders: Folders) -> None:
    here = str(share.source)
    with ThreadPoolExecutor(1) as pool:
        hung = pool.submit(folders.each, linked(share), names, str, lambda _: -1)
        wait_for(lambda: named("reader") >= 16, 5, "those who go into the share")
        stopwatch = Stopwatch()
        assert folders.each([here] * 50, names, str, lambda _: -1) == [MANY] * 50
        assert folders.call(here, lambda: names(here)) == MANY
        assert stopwatch.seconds() < 1.5
        assert not hung.done()
        assert hung.result(15) == [-1] * MANY
    stopwatch = Stopwatch()
    mixed = [*linked(share), here]
    assert folders.each(mixed, names, str, lambda _: -1) == [*[-1] * MANY, MANY]
    assert stopwatch.seconds() < 1  # it is known by now


def test_what_is_behind_folders_that_hang_in_one_batch_is_done(
    share: FaultyDisk, folders: Folders
) -> None:
    here = str(share.source)
    found = folders.each([*linked(share), here], names, str, lambda _: -1)
    assert found == [*[-1] * MANY, MANY]


def test_folder_after_folder_behind_one_link_leaves_no_more_threads(
    share: FaultyDisk, folders: Folders
) -> None:
    first, *others = linked(share)
    before = threading.active_count()
    with pytest.raises(FolderHangs, match="link/x0 does not answer"):
        folders.call(first, lambda: names(first))
    for other in others:
        with pytest.raises(FolderHangs, match=other):
            folders.call(other, functools.partial(names, other))
        with pytest.raises(FolderHangs, match=other):
            asyncio.run(folders.run(other, names, other))
    most = before + 3  # the call, the look, and the one thread that all others were asked in
    wait_for(lambda: threading.active_count() <= most, 5, "all threads but those to end")
    share.come_back()
    wait_for(lambda: not folders.hangs(first), 10, "the share")
    assert folders.call(first, lambda: names(first)) == 0


def test_more_threads_than_that_do_not_go_in(tmp_path: Path, folders: Folders) -> None:
    here = str(tmp_path)
    entrance = folders._entrance(here)
    while entrance.enter():
        pass
    assert folders.each([here] * 2, names, str, lambda _: -1) == [-1, -1]
    with pytest.raises(FolderHangs, match=here):
        asyncio.run(folders.run(here, names, here))
    entrance.leave()
    assert folders.call(here, lambda: names(here)) == 0


def test_who_waited_for_a_turn_does_not_go_into_a_folder_that_hangs_by_now(
    share: FaultyDisk, folders: Folders
) -> None:
    hung = linked(share)[0]
    went_in: list[str] = []

    def enter(name: str) -> None:
        went_in.append(name)
        names(hung)

    def a_look_is_old() -> bool:
        return any(time.monotonic() - since > 2.5 for since in folders._looks.values())

    async def late() -> None:
        await asyncio.to_thread(
            wait_for, a_look_is_old, 10, "it to hang, as they will be told soon"
        )
        await folders.run(hung, enter, "late")

    async def all_of_them() -> list[BaseException | None]:
        asked = (folders.run(hung, enter, "early") for _ in range(64))
        return await asyncio.gather(*asked, late(), return_exceptions=True)

    assert all(isinstance(error, FolderHangs) for error in asyncio.run(all_of_them()))
    assert went_in == ["early"] * 64
