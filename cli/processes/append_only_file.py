"""Mends the append-only file of a Redis that does not run. Knows nothing of what is in it."""

from __future__ import annotations

import logging
import mmap
import os
import re
import shutil
import subprocess
from pathlib import Path

from shared.errors import SettingsError
from shared.private_files import private, publish

log = logging.getLogger(__name__)

# What redis-server says of a broken one. A wrong length in its middle reads like a cut end.
IS_BROKEN = re.compile("(Bad file format|Unexpected end of file) reading the append only file")
# What redis-check-aof says of each file; Redis 7 and newer have several, and name them.
_ANALYZED = re.compile(r"AOF analyzed: (?:filename=(.+?), )?size=(\d+), ok_up_to=(\d+)")
_END_OF_A_CHANGE = b"*1\r\n$4\r\nEXEC\r\n"  # scripts and transactions are written so


def lost_changes(data: Path) -> Path:
    """A file that is there from before whole changes are cut off until their loss is dealt with.

    Where only the tail was cut, as after a power cut, there is none.
    """
    return data / "lost-changes"


def mend(redis_server: Path, data: Path) -> bool:
    """Cut a broken file after its last whole command; whether there was anything to cut.

    What is cut off is kept beside it. Raises SettingsError where there is no room for that.
    """
    target = data / "appendonlydir" / "appendonly.aof.manifest"  # Redis 7 and newer
    if not target.exists():
        target = data / "appendonly.aof"
    analyzed = _ANALYZED.findall(_check(redis_server, str(target)))
    if not analyzed:
        return False
    name, size, good = analyzed[-1][0], int(analyzed[-1][1]), int(analyzed[-1][2])
    broken = target.with_name(name) if name else target
    kept = data / f"broken-{broken.name}"  # only the newest: it may be large
    if good >= size:
        return False
    log.warning("the append-only file is broken: its end is cut off and kept as %s", kept)
    try:
        _keep_end(broken, good, kept)
        if _has_whole_changes(kept):
            publish(lost_changes(data), b"")
        _sync(data)
    except OSError as error:
        kept.unlink(missing_ok=True)
        raise SettingsError(
            f"The append-only file of Redis is damaged, and what must be cut off it cannot be kept "
            f"as {kept} ({error.strerror}): free {(size - good) // 1_000_000 + 1} MB on its disk "
            "and start again."
        ) from error
    _check(redis_server, "--fix", str(target))
    return broken.stat().st_size < size


def _check(redis_server: Path, *words: str) -> str:
    """What redis-check-aof answers; redis-server is that when it is called by that name."""
    done = subprocess.run(
        ["redis-check-aof", *words],
        executable=redis_server,
        input=b"y\n",
        capture_output=True,
        check=False,
    )
    return done.stdout.decode(errors="replace")


def _keep_end(broken: Path, begin: int, kept: Path) -> None:
    kept.unlink(missing_ok=True)
    with broken.open("rb") as source, open(kept, "xb", opener=private) as target:
        source.seek(begin)
        shutil.copyfileobj(source, target)
        target.flush()
        os.fsync(target.fileno())


def _has_whole_changes(cut_off: Path) -> bool:
    with (
        cut_off.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return content.find(_END_OF_A_CHANGE) >= 0


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
