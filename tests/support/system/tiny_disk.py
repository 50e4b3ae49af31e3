"""A small disk, for tests of full and read-only disks; needs root: see support/skip_or_fail.py."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support.skip_or_fail import skip_or_fail


@contextlib.contextmanager
def tiny_disk(folder: Path, kib: int = 1024) -> Iterator[Path]:
    """`folder`, made and mounted as a tmpfs of that size."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        skip_or_fail("this user may not mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
