"""CPU seconds of processes, from Linux."""

from __future__ import annotations

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
        threads = list((process / "task").iterdir())
        children = {
            int(child) for thread in threads for child in (thread / "children").read_text().split()
        }
    except (OSError, ValueError):  # it has just ended
        return 0.0
    own = sum(map(int, fields[11:15])) / _TICKS_PER_S
    return own + sum(map(cpu_of_tree, children))
