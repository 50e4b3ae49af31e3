"""CPU seconds of processes, from Linux."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_of_tree(pid: int) -> float:
    """Return the CPU seconds of a process and of all its descendants.

    Those that have ended count from when their parent has waited for them.
    """
    process = Path(f"/proc/{pid}")
    try:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has just ended
        return 0.0
    own = sum(map(int, fields[11:15])) / _TICKS_PER_S
    return own + sum(map(cpu_of_tree, _children(process)))


def _children(process: Path) -> set[int]:
    children: set[int] = set()
    for path in process.glob("task/*/children"):
        with contextlib.suppress(OSError):  # a thread that has just ended
            children.update(map(int, path.read_text().split()))
    return children
