"""Which files some process holds open for writing, where the system can tell."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator

_PROCESSES = "/proc"


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
    for folder in _descriptor_folders():
        for descriptor in _entries(folder):
            try:
                if _is_file(descriptor) and _writes(descriptor, inodes):
                    status = os.stat(descriptor)  # of the open file, whatever its name is by now
                    found.add((status.st_dev, status.st_ino))
            except (OSError, ValueError, KeyError):
                continue  # closed meanwhile, or not ours to see
    return found & wanted


def _descriptor_folders() -> Iterator[str]:
    for process in _entries(_PROCESSES):
        if process.rpartition("/")[2].isdigit():
            yield f"{process}/fd"


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
