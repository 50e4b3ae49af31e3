"""Programs that are not ours and read what we write: Debian's ffprobe and melt."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import av

from tests.support.skip_or_fail import skip_or_fail

_TRIES = 4
_LIMIT_S = 15  # each takes about a second


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        skip_or_fail(f"{name} is not installed (scripts/setup tools)")
    return found


def melted(*arguments: str, into: Path | None = None) -> bytes:
    """What melt prints. Raises as subprocess.run does.

    Beside other work melt hangs now and then, or ends before it has written a film `into` that
    can be opened: it is then started again, a few times.
    """
    command = [program("melt"), *arguments]
    for _ in range(_TRIES - 1):
        try:
            said = _run(command)
        except subprocess.TimeoutExpired:
            continue
        if into is None or _can_be_opened(into):
            return said
    return _run(command)


def _can_be_opened(film: Path) -> bool:
    try:
        av.open(str(film)).close()
    except (OSError, av.FFmpegError):
        return False
    return True


def _run(command: list[str]) -> bytes:
    done = subprocess.run(
        command,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_LIMIT_S,
        check=True,
    )
    return done.stdout
