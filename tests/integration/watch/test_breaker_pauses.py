"""A pause of a folder or a file ends, and is not held against other files."""

from __future__ import annotations

import errno
import os
import time
from typing import Any

import pytest

from shared.domain import Fault
from shared.errors import CacheError
from shared.watch.files import WatchedFile
from shared.watch.options import FileGroup
from tests.support.media.media import make_clip
from tests.support.watch.ingest_stack import still
from tests.support.watch.stepping import Steps
from workers.watcher.folder.file_table import FileTable
from workers.watcher.folder.mount_guard import CacheLookup

PENDING, PROCESSED = FileGroup.PENDING, FileGroup.PROCESSED


def test_pauses_end_when_the_clock_was_set_back() -> None:
    later = 1000.0 + 60
    table = FileTable.of({"/a": WatchedFile(PENDING, 1, 1, next_try_at=later)})
    table.wake_delayed(1000.0)
    assert not table.ready
    table.wake_delayed(1000.0 - 86400)
    assert list(table.ready) == ["/a"]


def test_a_hindrance_is_over_when_no_file_waits_for_its_end(steps: Steps) -> None:
    path = still(steps.media / "a.png", 1)
    (steps.media / "other.braw").write_bytes(b"raw")
    run = steps.run(steps.watch())
    run.step()
    steps.work("The disk is full.", Fault.CACHE)
    run.step()
    assert "full" in run.live().reason
    path.unlink()
    assert run.state.breaker.is_open
    steps.end_breaker_pause(run)
    steps.walk(run)
    run.step()
    assert run.live().reason == ""


def test_a_directory_that_does_not_answer_is_no_fault_of_its_files(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(still(steps.media / "share" / "a.png", 1))
    run = steps.run(steps.watch())
    real = os.stat

    def dead(at: Any, *more: Any, **named: Any) -> os.stat_result:
        if at == path:
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return real(at, *more, **named)

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", dead)
        for _ in range(4):
            run.step()
            run.state.table.wake_delayed(time.time() + 60)
    (file,) = steps.files.all(run.folder.id).values()
    assert (file.group, file.tries) == (PENDING, 0)


@pytest.mark.logs_errors
@pytest.mark.parametrize("error", [CacheError, ZeroDivisionError])
def test_one_file_that_the_cache_folder_refuses_does_not_hold_up_those_behind_it(
    steps: Steps, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    for name in ("a", "b"):
        still(steps.media / f"{name}.png", ord(name))
    run = steps.run(steps.watch())
    real = CacheLookup.is_made

    def is_made(self: CacheLookup, hash_str: str, path: str, *more: Any) -> bool:
        if path.endswith("a.png"):
            raise error("its folder is closed to us")
        return real(self, hash_str, path, *more)

    monkeypatch.setattr(CacheLookup, "is_made", is_made)
    for _ in range(3):
        run.step()
        steps.end_breaker_pause(run)
        steps.work()
    assert steps.groups(run) == {"a.png": PENDING, "b.png": PROCESSED}


def test_what_was_done_before_the_disk_was_full_does_not_end_the_wait_for_space(
    steps: Steps,
) -> None:
    for name in ("a", "b"):
        make_clip(steps.media / f"{name}.mp4", 1, shots=[((ord(name), 0, 0), 1)])
    run = steps.run(steps.watch())
    run.step()
    first, second = steps.lease(), steps.lease()
    steps.end(first, "The disk is full.", Fault.CACHE)
    steps.end(second)
    run.step()
    assert sorted(steps.groups(run).values()) == [PENDING, PROCESSED]
    assert run.state.breaker.is_open
