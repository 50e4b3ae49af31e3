"""In which order a process syncs files and names them, which decides what a power cut leaves."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from shared.paths import location_of


class DiskStep(NamedTuple):
    """A file or folder that was synced, or a file that got a name."""

    kind: str  # "sync" or "name"
    name: str
    inode: int
    folder: int = 0  # inode of the folder in which a file got its name


def record_disk_steps(patch: pytest.MonkeyPatch) -> list[DiskStep]:
    """Record what this process syncs and names from now on, in order. All of it takes place."""
    steps: list[DiskStep] = []
    fsync = os.fsync

    def record_sync(fd: int) -> None:
        fsync(fd)
        name = os.path.basename(location_of(fd))
        steps.append(DiskStep("sync", name, os.fstat(fd).st_ino))

    def recording(call: Callable[..., None]) -> Callable[..., None]:
        def record_name(source: Any, target: Any, **named: Any) -> None:
            call(source, target, **named)
            place = named.get("dst_dir_fd")
            folder = os.stat(os.path.dirname(target) if place is None else place)
            inode = os.stat(target, dir_fd=place, follow_symlinks=False).st_ino
            steps.append(DiskStep("name", os.path.basename(target), inode, folder.st_ino))

        return record_name

    patch.setattr(os, "fsync", record_sync)
    for name in ("replace", "rename", "link"):
        patch.setattr(os, name, recording(getattr(os, name)))
    return steps


def names_of_unsynced_files(steps: list[DiskStep]) -> list[str]:
    """Return names that files got while a power cut could still take bytes from them."""
    synced: set[int] = set()
    found = []
    for step in steps:
        if step.kind == "sync":
            synced.add(step.inode)
        elif step.inode not in synced:
            found.append(step.name)
    return found


def names_that_may_be_lost(steps: list[DiskStep]) -> list[str]:
    """Return names that a power cut may take back: their folder was not synced after them."""
    return [
        step.name
        for n, step in enumerate(steps)
        if step.kind == "name"
        and not any(later[0] == "sync" and later.inode == step.folder for later in steps[n:])
    ]
