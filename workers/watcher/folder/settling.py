"""From files that may still be written to files whose turn may come."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from itertools import islice

from msgspec.structs import replace

from workers.watcher.folder.state import FolderState, stat_of
from workers.watcher.scan.findings import FileStat

_PROCESSES = "/proc"

_LOOKS_AT_ONCE = 2000
_WRITTEN_PAUSE_S = 0.5  # at least, until a file that is open for writing is looked at again
_WRITING = "It is still being written."
_ARRIVING = "It may be a frame of a sequence that is still arriving."


def settle(state: FolderState) -> None:
    """Look for the second time at files whose first look is long enough ago."""
    unchanged: dict[str, os.stat_result] = {}
    for path in list(_due(state)):
        state.checkpoint()
        status = stat_of(state, path)
        if status is None:
            continue
        file, found = state.table.files[path], FileStat(status.st_size, status.st_mtime_ns)
        if found != (file.size, file.mtime_ns):
            state.settle(path, found)
        else:
            unchanged[path] = status
    written = open_for_writing({(status.st_dev, status.st_ino) for status in unchanged.values()})
    for path, status in unchanged.items():
        _judge(state, path, (status.st_dev, status.st_ino) in written)
    if not state.table.settling and len(state.stills):
        state.stills.forget_old()


def next_settle_in(state: FolderState) -> float | None:
    """Seconds until the next second look is due; None: no file is settling."""
    first = next(iter(state.table.settling.values()), None)
    if first is None:
        return None
    return max(0.0, first + state.folder.settle_seconds - time.monotonic())


def _judge(state: FolderState, path: str, is_written: bool) -> None:
    file = state.table.files[path]
    if not is_written and not state.stills.may_continue(path, file.changed_at):
        state.table.make_ready(path, replace(file, reason=""))
        return
    reason = _WRITING if is_written else _ARRIVING
    if file.reason != reason:
        file = replace(file, reason=reason)
    pause = max(0.0, _WRITTEN_PAUSE_S - state.folder.settle_seconds)
    state.table.settle(path, file, time.monotonic() + pause)


def _due(state: FolderState) -> Iterator[str]:
    until = time.monotonic() - state.folder.settle_seconds
    for path, seen_at in islice(state.table.settling.items(), _LOOKS_AT_ONCE):
        if seen_at > until:
            return  # the oldest come first
        yield path


def open_for_writing(files: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Of these (device, inode) pairs; none where there is no /proc.

    Processes of other users are seen only by root. One look visits every descriptor on the
    machine, so ask once for many files. No file is touched but those that may be asked for: a
    file on a share that is down, open in some other process, would hold us up.
    """
    wanted = set(files)
    inodes = {inode for _, inode in wanted}
    found: set[tuple[int, int]] = set()
    if not wanted:
        return found
    for process in _entries(_PROCESSES):
        if not process.rpartition("/")[2].isdigit():
            continue
        for descriptor in _entries(f"{process}/fd"):
            try:
                if _is_file(descriptor) and _writes(descriptor, inodes):
                    status = os.stat(descriptor)  # of the open file, whatever its name is by now
                    found.add((status.st_dev, status.st_ino))
            except (OSError, ValueError, KeyError):
                continue  # closed meanwhile, or not ours to see
    return found & wanted


def _entries(folder: str) -> list[str]:
    try:
        return [f"{folder}/{name}" for name in os.listdir(folder)]
    except OSError:
        return []


def _is_file(descriptor: str) -> bool:
    target = os.readlink(descriptor)
    return target.startswith("/") and not target.startswith(("/dev/", "/proc/", "/sys/"))


def _writes(descriptor: str, inodes: set[int]) -> bool:
    """Whether one is open for writing and, where the kernel says so (5.14), one of the inodes."""
    process, _, number = descriptor.rpartition("/fd/")
    with open(f"{process}/fdinfo/{number}", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file if line.startswith(("flags:", "ino:")))
    if int(fields["flags"], 8) & os.O_ACCMODE == os.O_RDONLY:
        return False
    return "ino" not in fields or int(fields["ino"]) in inodes
