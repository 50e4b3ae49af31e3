"""The log behind a search index: what a CacheDir holds, made ready for searching, in STATE_DIR.

It is only appended to, by one writer at a time; replicas on this machine follow it. What a killed
writer left half written is overwritten by the next one. When too much of it is dead, a file with
the living records replaces it. Anybody may delete it: then it is made anew from the CacheDir.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Generic, TypeVar

from api.search.write_lock import WriteLock
from shared.errors import CacheError
from shared.private_files import make_private

_log = logging.getLogger(__name__)
FLUSH_BYTES = 32 << 20


KeyT = TypeVar("KeyT")  # names an artefact in a log
SnapshotT = TypeVar("SnapshotT")  # what one search sees; another object after each change


class LogWriter(ABC, Generic[KeyT]):
    """Adds records while the log is held; what was added counts from `flush` on.

    When much was added, it is flushed at once.
    """

    def __init__(self, append: Callable[[bytes], None]) -> None:
        self._append = append
        self._records: list[bytes] = []
        self._waiting = 0  # bytes, those beside the log counted

    @abstractmethod
    def remove(self, key: KeyT) -> None:
        """Say that an artefact is gone."""

    def flush(self) -> None:
        if self._records:
            self._append(b"".join(self._records))
        self._records, self._waiting = [], 0

    def _add(self, record: bytes, beside: int = 0) -> None:
        self._records.append(record)
        self._waiting += len(record) + beside
        if self._waiting >= FLUSH_BYTES:
            self.flush()


WriterT = TypeVar("WriterT", bound=LogWriter[Any])


class IndexLog(ABC, Generic[SnapshotT, WriterT]):
    """A followed log, safe for threads and for other processes; subclasses know the records."""

    name: ClassVar[str]  # in sentences for operators
    needs_room_for: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._write_lock = WriteLock(folder / "lock")
        self._state_lock = threading.RLock()  # held for moments; guards all that is read
        self._source: tuple[Path, int, int] | None = None  # the file that was read, and which
        self._read_to = 0  # where its whole records end

    def snapshot(self) -> SnapshotT:
        """The newest state; the same object, for a look at the file's size, if nothing changed."""
        with self._state_lock:
            self._follow()
            return self._content()

    @contextlib.contextmanager
    def writing(self, wait_s: float) -> Iterator[WriterT]:
        """Be the one writer. Raises Unavailable after `wait_s`, CacheError on a full disk."""
        with self._clear_errors():
            make_private(self._folder)
            with self._write_lock.held(wait_s):
                writer = self._writer()
                try:
                    yield writer
                finally:  # after an error too: what was added may have taken hours to read
                    writer.flush()
                try:
                    self._compact_when_due()
                except OSError as error:  # all data is there; only its room is not given back
                    _log.warning("could not compact %s: %s", self._folder, error)

    def delete(self, wait_s: float) -> None:
        """Delete all records and begin anew."""
        with self.writing(wait_s):
            self._path().unlink(missing_ok=True)

    @abstractmethod
    def _path(self) -> Path:
        """The file of records, which need not be there."""

    @abstractmethod
    def _start_over(self, file: BinaryIO | None) -> None:
        """Forget what was read: another file counts from now on, or none."""

    @abstractmethod
    def _take_up(self, file: BinaryIO, start: int, size: int) -> int:
        """Read records from `start` on, stopping at what is torn; where the whole ones end."""

    @abstractmethod
    def _content(self) -> SnapshotT:
        """What the records that were read add up to."""

    @abstractmethod
    def _writer(self) -> WriterT:
        """A writer to files that are there and whole; called while the write lock is held."""

    @abstractmethod
    def _compact_when_due(self) -> None:
        """Replace the file by one of the living records. May raise OSError, changing nothing."""

    def _append(self, records: bytes) -> None:
        """Write after the whole records, as the one writer."""
        with self._state_lock:
            self._follow()
            path = self._path()
            try:
                with open(path, "r+b") as file:
                    file.seek(self._read_to)
                    file.truncate()
                    file.write(records)
            except OSError:  # a full disk gets back what was written of it
                with contextlib.suppress(OSError):
                    os.truncate(path, self._read_to)
                raise
            self._follow()

    def _follow(self) -> None:
        while not self._follow_file(path := self._path()):
            if self._path() == path:  # else replaced just now
                if self._source is not None:
                    self._source, self._read_to = None, 0
                    self._start_over(None)
                return

    def _follow_file(self, path: Path) -> bool:
        """Read on in this file; False where there is none."""
        try:
            found = os.stat(path)
            source = (path, found.st_dev, found.st_ino)
            if source != self._source or found.st_size != self._read_to:
                with open(path, "rb") as file:
                    self._read_on(path, file)
        except FileNotFoundError:
            return False
        return True

    def _read_on(self, path: Path, file: BinaryIO) -> None:
        found = os.fstat(file.fileno())
        source = (path, found.st_dev, found.st_ino)
        if source != self._source or found.st_size < self._read_to:
            self._source, self._read_to = source, 0
            self._start_over(file)
        self._read_to = self._take_up(file, self._read_to, found.st_size)

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CacheError(
                f"The {self.name} in {self._folder} cannot be written: {error.strerror or error}. "
                f"RUSHES_STATE_DIR needs room for a copy of {self.needs_room_for}."
            ) from error
