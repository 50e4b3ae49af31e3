"""Where open files and folders really are, and where the folders in the settings do."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from contextlib import suppress

# A folder that is only gone through or created in: no permission to list it is needed.
THROUGH = (
    os.O_CLOEXEC
    | os.O_NOCTTY
    | (getattr(os, "O_PATH", 0) or os.O_NONBLOCK | getattr(os, "O_SEARCH", os.O_RDONLY))
)
_KEPT_S = 5.0
_MOST_KEPT = 1000
_known: dict[str, tuple[float, str]] = {}  # when a folder was asked for its place, and the answer


if sys.platform == "darwin":
    _DESCRIPTORS = "/dev/fd"

    def location_of(fd: int) -> str:
        """Where an open file or folder really is."""
        found: bytes = fcntl.fcntl(fd, fcntl.F_GETPATH, bytes(1024))
        return os.fsdecode(found.rstrip(b"\0"))

else:
    _DESCRIPTORS = "/proc/self/fd"

    def location_of(fd: int) -> str:
        """Where an open file or folder really is."""
        return os.readlink(place_of(fd))


def place_of(fd: int) -> str:
    """A path that reaches what is open in this process, and nothing else."""
    return f"{_DESCRIPTORS}/{fd}"


def real_place(folder: str, *, anew: bool = False) -> str:
    """Where a folder of the settings really is, spelt as the system spells what lies in it.

    An answer counts for some seconds, unless it is asked for `anew`.
    """
    now = time.monotonic()
    at, place = _known.get(folder, (0.0, ""))
    if place and not anew and now - at < _KEPT_S:
        return place
    place = os.path.realpath(folder)  # where it would be, if it is not there
    with suppress(OSError):
        fd = os.open(folder, THROUGH)
        try:
            place = location_of(fd)
        finally:
            os.close(fd)
    if len(_known) >= _MOST_KEPT:
        _known.clear()
    _known[folder] = now, place
    return place


def place_of_name(name: str, folder: int | None = None) -> str:
    """Where something of that name is or would be, in an open folder if one is given."""
    above, last = os.path.split(name) if folder is None else ("", name)
    if last not in ("", ".", ".."):
        with suppress(OSError):
            if folder is None:
                fd = os.open(above or ".", THROUGH)
                try:
                    return place_of_name(last, fd)
                finally:
                    os.close(fd)
            place = f"{location_of(folder).rstrip('/')}/{last}"
            try:
                os.readlink(last, dir_fd=folder)
            except OSError:  # nothing, or no link
                return place
            return os.path.realpath(place)
    return os.path.realpath(name)


def is_detached(fd: int) -> bool:
    """Whether what is open lies on a disk that was taken out of the tree meanwhile (Linux)."""
    with (
        suppress(OSError, StopIteration, UnicodeDecodeError),
        open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as facts,
    ):
        mount = next(line for line in facts if line.startswith("mnt_id:")).split()[1]
        with open("/proc/self/mountinfo", "rb") as mounts:
            return not any(line.startswith(f"{mount} ".encode()) for line in mounts)
    return False
