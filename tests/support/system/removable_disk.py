"""A disk that can be pulled out and put back while processes use it; needs root."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.skip_or_fail import skip_or_fail


@dataclass(frozen=True)
class RemovableDisk:
    """A tmpfs that is seen at `point` by a bind mount, so that it keeps what is on it."""

    kept: Path
    point: Path

    def come(self) -> None:
        subprocess.run(["mount", "--bind", self.kept, self.point], check=True)

    def go(self) -> None:
        subprocess.run(["umount", "-l", self.point], check=True)


@contextlib.contextmanager
def removable_disk(kept: Path, point: Path) -> Iterator[RemovableDisk]:
    """One that is there; nobody may hold it at the end. Both folders are made."""
    disk = RemovableDisk(kept, point)
    for folder in (kept, point):
        folder.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", kept]).returncode:
        skip_or_fail("this user may not mount")
    try:
        disk.come()
        yield disk
    finally:
        for folder in (point, kept):
            subprocess.run(["umount", "-l", folder], check=False, capture_output=True)
