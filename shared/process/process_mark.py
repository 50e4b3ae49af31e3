"""The mark of a process, by which others on its machine can tell that it has ended.

A lease tells that within seconds, wherever its holder ran; beside it, it is told at once.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

_PROC = Path("/proc")
_AFTER_NAME = 2  # in proc(5)'s stat, field 3 is the first behind the name in brackets
_STATE, _STARTED = 3 - _AFTER_NAME - 1, 22 - _AFTER_NAME - 1


@cache
def own_mark() -> str:
    """`<where process numbers mean the same>/<process number>/<its start>`; "" where untold."""
    pid = os.getpid()
    status = _status(pid)
    return f"{_space()}/{pid}/{status[_STARTED]}" if status and _space() else ""


def has_ended(mark: str) -> bool:
    """Whether the process with this mark is known to have ended: on another machine never."""
    space, _, rest = mark.partition("/")
    pid, _, started = rest.partition("/")
    if not space or space != _space() or not pid.isdecimal():
        return False
    status = _status(int(pid))
    return not lives(int(pid)) or (status is not None and status[_STARTED] != started)


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be collected does not."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # another user's
    status = _status(pid)
    return status is None or status[_STATE] not in "ZX"


@cache
def _space() -> str:
    """This start of this machine, and this container: elsewhere a number is another process."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii")
        numbers = os.readlink(_PROC / "self/ns/pid")
    except OSError:
        return ""
    return hashlib.sha256(f"{boot}{numbers}".encode()).hexdigest()[:16]


def _status(pid: int) -> list[str] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()
