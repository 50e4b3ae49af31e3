"""The audit log: who changed or took what, and when; JSON lines in STATE_DIR, the newest last.

Every process of this machine appends, so a line is one write under a lock. A file that has grown
large becomes audit.1.jsonl, what that was audit.2.jsonl and so on; the oldest goes.
"""

from __future__ import annotations

import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from shared.private_files import private

LARGEST = 32 << 20  # bytes of one file
KEPT = 10  # files besides the newest


class AuditLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One deed."""

    at: str  # ISO 8601, UTC
    action: str  # such as "analyze"; the name of the operation
    key_id: str = ""
    key_label: str = ""
    address: str = ""
    client: str = ""  # what it calls itself
    task_id: str = ""
    details: dict[str, Any] = {}


class AuditLog:
    """The log in a STATE_DIR."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "audit.jsonl"

    def write(self, line: AuditLine) -> None:
        """Append a line, which is on the disk when this returns. Raises OSError."""
        content = msgspec.json.encode(line) + b"\n"
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(self._path.with_name(".audit.lock"), "a", opener=private) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._rotate(len(content))
            with open(self._path, "ab", opener=private) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())

    def _rotate(self, more: int) -> None:
        try:
            if self._path.stat().st_size + more <= LARGEST:
                return
        except FileNotFoundError:
            return
        for number in range(KEPT - 1, 0, -1):
            if self._former(number).exists():
                self._former(number).replace(self._former(number + 1))
        self._path.replace(self._former(1))

    def _former(self, number: int) -> Path:
        return self._path.with_name(f"audit.{number}.jsonl")


def now() -> str:
    """The time as the log has it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
