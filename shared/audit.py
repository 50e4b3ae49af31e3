"""The audit log: who changed or took what, and when; JSON lines in STATE_DIR, the newest last.

Every process of this machine appends, so a line is one write under a lock. A file that has grown
large becomes audit.1.jsonl, what that was audit.2.jsonl and so on; the oldest goes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from shared.errors import BadInput
from shared.msgspec_decoding import decoded
from shared.private_files import private

LARGEST = 32 << 20  # bytes of one file
KEPT = 10  # files besides the newest
_CURSOR = re.compile(r"([0-9a-f]{16})-([0-9]{1,12})")
_FIRST_LINE = 4096  # bytes of it by which a file is known under any name


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


class AuditWish(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines are asked for; "" is any."""

    limit: int
    action: str = ""
    key_id: str = ""
    task_id: str = ""

    def words(self) -> list[bytes]:
        """What each of them holds: it is cheaper to look for that than to decode."""
        return [msgspec.json.encode(value) for value in self._named().values()]

    def fits(self, line: AuditLine) -> bool:
        return all(getattr(line, name) == value for name, value in self._named().items())

    def _named(self) -> dict[str, str]:
        names = ("action", "key_id", "task_id")
        return {name: value for name in names if (value := getattr(self, name))}


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
            with open(self._path, "a+b", opener=private) as file:
                file.write(content if _ends_whole(file) else b"\n" + content)
                file.flush()
                os.fsync(file.fileno())

    def page(self, wish: AuditWish, after: str = "") -> tuple[list[AuditLine], str | None]:
        """Lines, the newest first, and where the next page begins; None: there is no more.

        `after` is what an earlier call gave. It stays right while lines are added and files
        change their names. Raises BadInput for another one, and OSError.
        """
        place = _CURSOR.fullmatch(after)
        if after and place is None:
            raise BadInput("after must be the `next` of an answer of /audit.")
        found: list[AuditLine] = []
        last = ""
        with contextlib.ExitStack() as opened:
            for file in self._from(place, opened):
                for begin, raw in file.lines_backwards(wish):
                    line = decoded(raw, AuditLine)
                    if line is None or not wish.fits(line):
                        continue
                    if len(found) == wish.limit:
                        return found, last
                    found.append(line)
                    last = f"{file.name}-{begin}"
        return found, None

    def _from(
        self, place: re.Match[str] | None, opened: contextlib.ExitStack
    ) -> Iterator[_AuditFile]:
        """The files from a place on, the newest first; none where its file is no more."""
        wanted, seen = place[1] if place else "", set()
        for number in range(KEPT + 1):
            path = self._former(number) if number else self._path
            try:
                content = opened.enter_context(path.open("rb"))
            except FileNotFoundError:
                continue
            file = _AuditFile(content)
            if file.name in seen:
                continue  # it was renamed since it was read under its former name
            seen.add(file.name)
            if wanted and file.name != wanted:
                continue
            if wanted and place:
                file.end, wanted = min(file.end, int(place[2])), ""
            yield file

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


class _AuditFile:
    """One file of the log, read from its end. `name`: the same whatever it is called."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.end = os.fstat(file.fileno()).st_size
        self.name = hashlib.sha256(file.readline(_FIRST_LINE).rstrip(b"\n")).hexdigest()[:16]

    def lines_backwards(self, wish: AuditWish) -> Iterator[tuple[int, bytes]]:
        """Whole lines before `end` that may be wished, and where they begin.

        What has no end is left out: it is being written, or was torn.
        """
        words = wish.words()
        self._file.seek(0)
        content = self._file.read(self.end)  # not mapped: a file that is cut meanwhile would kill
        until = content.rfind(b"\n")
        while until >= 0:
            # No line behind the last place of a word has all of them.
            at = min((content.rfind(word, 0, until) for word in words), default=until)
            if at < 0:
                return
            begin, end = content.rfind(b"\n", 0, at) + 1, content.find(b"\n", at)
            line, until = content[begin:end], begin - 1
            if all(word in line for word in words):
                yield begin, line


def _ends_whole(file: BinaryIO) -> bool:
    """Whether the last line has its end: who wrote it may have been killed in the midst."""
    if not file.seek(0, os.SEEK_END):
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def now() -> str:
    """The time as the log has it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
