"""Mends the append-only file of a Redis that does not run. Knows nothing of what is in it."""

from __future__ import annotations

import logging
import mmap
import shutil
import subprocess
from pathlib import Path

log = logging.getLogger(__name__)

IS_BROKEN = "Bad file format reading the append only file"  # what redis-server says of it
_END_OF_A_CHANGE = b"*1\r\n$4\r\nEXEC\r\n"  # scripts and transactions are written so


def mend(redis_server: Path, data: Path) -> bool:
    """Cut a broken file after its last whole command; whether whole changes lay behind that.

    Where none did, the tail alone is gone, as after a power cut. A copy of the old file is kept.
    """
    target = data / "appendonlydir" / "appendonly.aof.manifest"  # Redis 7 and newer
    if not target.exists():
        target = data / "appendonly.aof"
    broken = target.parent if target.suffix == ".manifest" else target
    kept = data / f"broken-{broken.name}"  # only the newest: it may be large
    if broken.is_dir():
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(broken, kept)
    else:
        shutil.copy2(broken, kept)
    log.warning("the append-only file is broken: cutting its end; the old one is %s", kept)
    # redis-server is redis-check-aof when it is called by that name.
    subprocess.run(
        ["redis-check-aof", "--fix", str(target)],
        executable=redis_server,
        input=b"y\n",
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if not broken.is_dir():
        return _lost_changes(kept, broken)
    return any(_lost_changes(old, broken / old.name) for old in kept.iterdir())


def _lost_changes(before: Path, after: Path) -> bool:
    """Whether whole changes lie in what was cut off a file."""
    left = after.stat().st_size if after.exists() else 0
    if left >= before.stat().st_size:
        return False
    with before.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as old:
        return old.find(_END_OF_A_CHANGE, left) >= 0
