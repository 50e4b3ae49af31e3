"""The log behind a search index: what a CacheDir holds, made ready for searching, in STATE_DIR.

It is only appended to, by one writer at a time; replicas on this machine follow it. What a killed
writer left half written is overwritten by the next one. When too much of it is dead, a file with
the living records replaces it. Anybody may delete it: then it is made anew from the CacheDir.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import logging
import os
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import BinaryIO, ClassVar, Generic, TypeVar

from api.cache.view import CacheView, Looks
from api.folders import quick_map
from shared.cache.cache_dir import LISTING_WAIT_S
from shared.errors import CacheError, Unavailable
from shared.opening import RootedPath
from shared.private_files import make_private, private

SEARCH_WAIT_S = 30.0  # a search waits this long while another thread or replica loads
LOAD_WAIT_S = 300.0
_log = logging.getLogger(__name__)
FLUSH_BYTES = 32 << 20
SnapshotT = TypeVar("SnapshotT")  # what one search sees; another object after each change
SourceT = TypeVar("SourceT")  # the data files that an artefact is read from
ContentT = TypeVar("ContentT")  # what is read of it


def signature(state: Path) -> tuple[int, int] | None:
    """Changes whenever a file that is replaced as a whole is; None where there is none."""
    try:
        found = os.stat(state)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def journal_digest(journal: Path, size: int) -> str:
    """Of the first `size` bytes of a journal: what was made from them fits as long as they stay."""
    with open(journal, "rb") as file:
        return hashlib.sha256(file.read(size)).hexdigest()


class WriteLock:
    """A lock file. Held long: while data is read from a share."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = threading.Lock()

    @contextlib.contextmanager
    def held(self, wait_s: float) -> Iterator[None]:
        """Hold the lock. Raises Unavailable when another one holds it for `wait_s` seconds."""
        deadline = time.monotonic() + wait_s
        if not self._threads.acquire(timeout=wait_s):
            raise _still_loading()
        try:
            with open(self._path, "w", opener=private) as lock:
                while not _try_flock(lock.fileno()):
                    if time.monotonic() > deadline:
                        raise _still_loading()
                    time.sleep(0.02)
                yield
        finally:
            self._threads.release()


def _still_loading() -> Unavailable:
    return Unavailable("The search data of this cache_dir is still being loaded; retry shortly.")


def _try_flock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


Key = tuple[str, str]  # of an artefact in a log: hash_str and model


class LogWriter(ABC):
    """Adds records while the log is held; what was added counts from `flush` on.

    When much was added, it is flushed at once.
    """

    def __init__(self, append: Callable[[bytes], None]) -> None:
        self._append = append
        self._records: list[bytes] = []
        self._waiting = 0  # bytes, those beside the log counted

    @abstractmethod
    def remove(self, key: Key) -> None:
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


WriterT = TypeVar("WriterT", bound=LogWriter)


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

    def _replace_file(self, records: Iterable[bytes]) -> None:
        """Replace the file by one of these records. Raises OSError, changing nothing."""
        path = self._path()
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            with open(temporary, "xb", opener=private) as file:
                file.writelines(records)
            os.replace(temporary, path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

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


Found = tuple[SourceT, ContentT] | CacheError | None  # None: it is not published


class Loader(ABC, Generic[SourceT, ContentT, SnapshotT, WriterT]):
    """Loads the artefacts of one CacheDir into one log. Safe for threads and replicas."""

    read_at_once: ClassVar[int]  # artefacts in memory

    def __init__(self, view: CacheView, log: IndexLog[SnapshotT, WriterT], pool: Executor) -> None:
        self._view = view
        self._log = log
        self._pool = pool  # for small reads, which wait for the share and not for a core
        self._looks: Looks[Key, bool] = Looks()  # whether artefacts are published
        self._lock = threading.Lock()
        self._done_at: tuple[int, SnapshotT] | None = None
        self._unusable: dict[Key, tuple[SourceT, str]] = {}

    def snapshot(self) -> SnapshotT:
        return self._log.snapshot()

    def unusable(self) -> dict[Key, str]:
        """Reasons why an artefact cannot be searched."""
        with self._lock:
            return {key: reason for key, (_, reason) in self._unusable.items()}

    def try_again(self) -> None:
        """Look at what was unusable once more when somebody asks next."""
        with self._lock:
            self._unusable.clear()
            self._done_at = None

    def bring_up(self, wait_s: float, *, retry: bool) -> SnapshotT:
        """Take up what was announced and is not in the log yet; cheap when nothing was.

        `retry`: try again what was unusable. Raises Unavailable after waiting for `wait_s`.
        """
        version = self._view.version
        with self._lock:
            if retry:
                self._unusable.clear()
            elif self._done_at == (version, snapshot := self._log.snapshot()):
                return snapshot
        if self._todo():
            with self._log.writing(wait_s) as writer:
                # Another thread or replica may have done it while we waited.
                self._load(writer, self._todo())
        with self._lock:
            snapshot = self._log.snapshot()
            self._done_at = (version, snapshot)
        return snapshot

    def deleted(self, keys: Iterable[Key], began: float = float("inf")) -> set[Key]:
        """Keys whose artefact was deleted, in a folder that is still there.

        `began`: a request that began then asks, see api/cache/view.py.
        """
        there = self._looks.since(began, keys, self._are_published)
        missing = {key for key, is_there in there.items() if not is_there}
        # A share that vanished just now deletes nothing.
        return missing if missing and self._view.cache.is_there() else set()

    def remove(self, keys: Collection[Key], wait_s: float) -> None:
        """Forget what `deleted` said, but for what was published again meanwhile."""
        with self._log.writing(wait_s) as writer:
            for key in keys:  # before looking: what is announced meanwhile stays announced
                self._correct(key, None)
            for key, is_there in zip(keys, self._are_published(keys), strict=True):
                if is_there:
                    self._view.look_at([key[0]])
                else:
                    writer.remove(key)

    def forget_deleted(
        self, keys: Iterable[Key], wait_s: float, began: float = float("inf")
    ) -> bool:
        """Drop those of these artefacts that `deleted` says; whether there was any."""
        deleted = self.deleted(keys, began)
        if deleted:
            self.remove(deleted, wait_s)
        return bool(deleted)

    def _are_published(self, keys: Collection[Key]) -> list[bool]:
        return quick_map(self._pool, RootedPath.exists, map(self._manifest_path, keys))

    def _todo(self) -> dict[Key, SourceT]:
        held = self._held(self._log.snapshot())
        with self._lock:
            unusable = {key: announced for key, (announced, _) in self._unusable.items()}
        return {
            key: source
            for key, source in self._announced().items()
            if held.get(key) != source and unusable.get(key) != source
        }

    def _load(self, writer: WriterT, todo: Mapping[Key, SourceT]) -> None:
        deadline = time.monotonic() + LISTING_WAIT_S  # for all denied files together
        held = self._held(self._log.snapshot())
        for some in self._batches(todo):
            for key, found in zip(some, self._contents(some, deadline), strict=True):
                if reason := self._take_up(writer, key, found, held.get(key)):
                    with self._lock:
                        self._unusable[key] = (todo[key], reason)
            if self.read_at_once > 1:  # it takes hours of reading to fill FLUSH_BYTES
                writer.flush()

    def _batches(self, todo: Mapping[Key, SourceT]) -> Iterator[list[Key]]:
        """What is in memory at a time."""
        rest = iter(todo)
        while some := list(itertools.islice(rest, self.read_at_once)):
            yield some

    def _contents(
        self, keys: Collection[Key], deadline: float
    ) -> Iterator[Found[SourceT, ContentT]]:
        """What is read of each artefact: small ones side by side, a large one in this thread."""
        if self.read_at_once == 1:
            return (self._try_to_read(key, deadline) for key in keys)
        return self._pool.map(lambda key: self._try_to_read(key, deadline), keys)

    def _try_to_read(self, key: Key, deadline: float) -> Found[SourceT, ContentT]:
        try:
            return self._read(key, deadline - time.monotonic())
        except CacheError as error:
            return CacheError(error.message)  # what was read hangs on the traceback of the first

    def _take_up(
        self,
        writer: WriterT,
        key: Key,
        found: Found[SourceT, ContentT],
        held: SourceT | None,
    ) -> str | None:
        """Bring the log up to date with one artefact; returns why it cannot be used."""
        if found is None or isinstance(found, CacheError):
            if found is None:
                self._correct(key, None)
            if held is not None:
                writer.remove(key)
            return found.message if found else None
        source, content = found
        self._correct(key, source)
        return None if source == held else self._add(writer, key, source, content)

    @abstractmethod
    def _announced(self) -> Mapping[Key, SourceT]:
        """What the CacheDir is said to hold."""

    @abstractmethod
    def _correct(self, key: Key, source: SourceT | None) -> None:
        """Note for `_announced` what an artefact really is read from; None: there is none."""

    @abstractmethod
    def _held(self, snapshot: SnapshotT) -> Mapping[Key, SourceT]:
        """What the log was made from."""

    @abstractmethod
    def _read(self, key: Key, wait_s: float) -> tuple[SourceT, ContentT] | None:
        """Read an artefact, and name the data files that it was read from.

        None where none is published. Raises CacheError, with the reason.

        `wait_s`: how long to insist, because the catalogue names it and shares deny new files.
        """

    @abstractmethod
    def _add(self, writer: WriterT, key: Key, source: SourceT, content: ContentT) -> str | None:
        """Write what was read; returns why it cannot be."""

    @abstractmethod
    def _manifest_path(self, key: Key) -> RootedPath:
        """Where the manifest of an artefact lies while it is published."""
