"""Memory that is here, that is free, and that a child takes with all that it started.

Of the latter two Linux alone tells.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")

_PROC = Path("/proc")
_LIMITS = ("memory.max", "memory.limit_in_bytes")  # of cgroups 2 and 1


def total_bytes() -> int:
    """Memory of this machine, or what the limits around us let us take of it."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for folder in around("memory"):
        for name in _LIMITS:
            with contextlib.suppress(OSError, ValueError):  # there is none: no file, or `max`
                found = min(found, int((folder / name).read_text()))
    return found


def free_bytes() -> int:
    """Memory that may still be taken, by the machine and by every limit around us; 0: unknown."""
    found = _field(_PROC / "meminfo", "MemAvailable:") * 1024
    for folder in around("memory"):
        with contextlib.suppress(OSError, ValueError):  # no limit: no file, or `max`
            limit = int((folder / "memory.max").read_text())
            # What the page cache holds would be given back.
            taken = int((folder / "memory.current").read_text())
            taken -= _field(folder / "memory.stat", "inactive_file")
            found = min(found, max(0, limit - taken))
    return found


def session_bytes(session: int) -> int:
    """Memory of all processes of a session, what they share counted once; 0: unknown."""
    kilobytes = 0
    for process in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):  # it has ended meanwhile
            stat = (process / "stat").read_text().rpartition(")")[2].split()
            if int(stat[3]) == session:
                kilobytes += _field(process / "smaps_rollup", "Pss:")
    return kilobytes * 1024


def _field(file: Path, name: str) -> int:
    """A number in one of the kernel's tables; 0 where it is not told."""
    with contextlib.suppress(OSError):
        for line in file.read_text().splitlines():
            words = line.split()
            if words and words[0] == name:
                return int(words[1])
    return 0


def around(controller: str) -> Iterator[Path]:
    """Folders of our own group and all around it; in a container its own is the outermost.

    `controller` is "cpu" or "memory". Files that a folder may lack are left to the caller.
    """
    with contextlib.suppress(OSError):
        for line in OWN.read_text(encoding="utf-8").splitlines():
            _, controllers, group = line.split(":", 2)
            if not controllers:  # version 2
                top = ROOT
            elif controller in controllers.split(","):
                top = ROOT / controller
            else:
                continue
            path = Path(group.lstrip("/"))
            yield from (top / part for part in (path, *path.parents))
