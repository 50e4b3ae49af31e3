"""Memory that is free here, and that a child takes with all that it started. Linux alone tells."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")


def free_bytes() -> int:
    """Memory that may still be taken, by the machine and by every limit around us; 0: unknown."""
    found = _field(_PROC / "meminfo", "MemAvailable:") * 1024
    for folder in _cgroups():
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


def _cgroups() -> Iterator[Path]:
    """Our own group and all around it; in a container its own is the outermost."""
    with contextlib.suppress(OSError):
        for line in (_PROC / "self" / "cgroup").read_text().splitlines():
            if line.startswith("0::/"):
                path = Path(line.removeprefix("0::/"))
                yield from (_CGROUPS / part for part in (path, *path.parents))


def _field(file: Path, name: str) -> int:
    """A number in one of the kernel's tables; 0 where it is not told."""
    with contextlib.suppress(OSError):
        for line in file.read_text().splitlines():
            words = line.split()
            if words and words[0] == name:
                return int(words[1])
    return 0
