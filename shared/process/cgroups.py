"""The control groups that limit this process, of versions 2 and 1. Linux alone has them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


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
