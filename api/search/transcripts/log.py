"""The transcripts of one CacheDir ready for searching, in a file of our own in STATE_DIR.

STATE_DIR/transcripts/<cache id>/spoken.1.log is a row of records: a frame, a head (all that a
search needs, held in memory) and a body (the segments that answers show, read for matches only).
A later record about the same transcript replaces the earlier one. One writer at a time appends;
replicas read on. What a killed writer left half written is overwritten by the next one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import struct
import threading
import weakref
import zlib
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from api.search.transcripts.text import STREAM_BORDER, Line, SearchText
from api.search.write_lock import WriteLock
from shared.cache import cache_files
from shared.errors import CacheError

_log = logging.getLogger(__name__)
_NAME = "spoken.1.log"  # the number grows whenever folding or the records change
_FRAME = struct.Struct("<4sIII")  # mark, length of head and body, CRC-32 of the head
_MARK = b"RUSH"
_DEAD_BYTES_WORTH_COMPACTING = 16 << 20

Key = tuple[str, str]  # hash_str, model


class _Told(msgspec.Struct, frozen=True, array_like=True, tag="told"):
    hash_str: str
    model: str
    file: str
    made_at: float
    folded: bytes
    starts: bytes
    speakers: tuple[str, ...]
    body_crc: int


class _Gone(msgspec.Struct, frozen=True, array_like=True, tag="gone"):
    hash_str: str
    model: str


_HEAD = msgspec.msgpack.Decoder(_Told | _Gone)
_BODY = msgspec.msgpack.Decoder(tuple[Line, ...])


class LogDamaged(Exception):
    """A body that was whole when it was written is not."""


class _File:
    """An open log; compacting replaces it while searches still read it."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self.fd)
        found = os.fstat(self.fd)
        self.identity = (found.st_dev, found.st_ino)


@dataclass(frozen=True, slots=True)
class Spoken:
    """One transcript. `file` is the artefact it was read from, `made_at` in Unix seconds."""

    hash_str: str
    model: str
    file: str
    made_at: float
    folded: bytes
    starts: array[int]
    speakers: tuple[str, ...]  # folded, one a line, or none at all
    has_streams: bool  # then lines are not in the order of time
    _log: _File
    _at: int
    _head_bytes: int
    _body_bytes: int
    _body_crc: int

    @property
    def key(self) -> Key:
        return self.hash_str, self.model

    @property
    def bytes_in_log(self) -> int:
        return _FRAME.size + self._head_bytes + self._body_bytes

    def lines(self) -> tuple[Line, ...]:
        """The segments. Raises LogDamaged."""
        at = self._at + _FRAME.size + self._head_bytes
        body = os.pread(self._log.fd, self._body_bytes, at)
        if zlib.crc32(body) != self._body_crc:
            raise LogDamaged
        return _BODY.decode(body)

    def record(self) -> bytes:
        """As it lies in the log."""
        return os.pread(self._log.fd, self.bytes_in_log, self._at)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """What one search sees; never changed."""

    spoken: Mapping[Key, Spoken] = field(default_factory=dict)

    def by_hash(self) -> dict[str, list[Spoken]]:
        found: dict[str, list[Spoken]] = {}
        for spoken in self.spoken.values():
            found.setdefault(spoken.hash_str, []).append(spoken)
        return found


class TranscriptLog:
    """Safe for threads, and for other processes on this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / _NAME
        self._write_lock = WriteLock(folder / "lock")
        self._state_lock = threading.Lock()  # guards everything below
        self._file: _File | None = None
        self._read_to = 0
        self._looked_at = (0, 0)  # size and mtime_ns
        self._snapshot = Snapshot()

    def snapshot(self) -> Snapshot:
        """The newest state; the same object, for one `stat`, when nothing changed."""
        with self._state_lock:
            self._refresh()
            return self._snapshot

    @contextlib.contextmanager
    def writing(self, wait_s: float) -> Iterator[Writer]:
        """Be the one writer. Raises Unavailable after `wait_s`, CacheError on a full disk."""
        with contextlib.ExitStack() as held:
            held.enter_context(self._clear_errors())
            self._folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(self._write_lock.held(wait_s))
            writer = Writer(self)
            yield writer
            writer.flush()
            self._compact_when_due()

    def start_over(self, wait_s: float) -> None:
        """Forget everything: it will be read from the CacheDir again."""
        with self.writing(wait_s):
            self._path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CacheError(
                f"The transcript index in {self._folder} cannot be written: "
                f"{error.strerror or error}. RUSHES_STATE_DIR needs room for a copy of all text."
            ) from error

    def _refresh(self) -> None:
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            if self._file is not None:
                self._file, self._read_to, self._looked_at = None, 0, (0, 0)
                self._snapshot = Snapshot()
            return
        is_same = self._file and self._file.identity == (found.st_dev, found.st_ino)
        if self._file is None or not is_same or found.st_size < self._read_to:
            self._file, self._read_to, self._looked_at = _File(self._path), 0, (0, 0)
            self._snapshot = Snapshot()
        if (found.st_size, found.st_mtime_ns) != self._looked_at:
            self._looked_at = (found.st_size, found.st_mtime_ns)
            self._read_on(self._file, found.st_size)

    def _read_on(self, file: _File, size: int) -> None:
        """Take up whole records; stop at what is torn."""
        spoken = dict(self._snapshot.spoken)
        at = self._read_to
        while at + _FRAME.size <= size:
            mark, head_bytes, body_bytes, crc = _FRAME.unpack(os.pread(file.fd, _FRAME.size, at))
            if mark != _MARK or at + _FRAME.size + head_bytes + body_bytes > size:
                break
            head = os.pread(file.fd, head_bytes, at + _FRAME.size)
            if zlib.crc32(head) != crc:
                break
            try:
                told = _HEAD.decode(head)
            except msgspec.MsgspecError:  # by another version of this program
                break
            if isinstance(told, _Gone):
                spoken.pop((told.hash_str, told.model), None)
            else:
                spoken[told.hash_str, told.model] = _spoken(told, file, at, head_bytes, body_bytes)
            at += _FRAME.size + head_bytes + body_bytes
        self._read_to = at
        self._snapshot = Snapshot(spoken)

    def _compact_when_due(self) -> None:
        living = self.snapshot().spoken.values()
        dead = self._read_to - sum(spoken.bytes_in_log for spoken in living)
        if dead <= max(_DEAD_BYTES_WORTH_COMPACTING, self._read_to // 2):
            return
        temporary = cache_files.temporary_name(self._folder, _NAME, "compact")
        try:
            with open(temporary, "xb") as file:
                for spoken in living:
                    file.write(spoken.record())
            os.replace(temporary, self._path)
        except OSError as error:  # all data is there; only its room is not given back
            _log.warning("could not compact %s: %s", self._path, error)
            temporary.unlink(missing_ok=True)

    def _append(self, records: bytes) -> None:
        with self._state_lock:
            self._refresh()
            try:
                with open(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
                    file.seek(self._read_to)
                    file.truncate()
                    file.write(records)
            except OSError:  # a full disk gets back what was written of it
                with contextlib.suppress(OSError):
                    os.truncate(self._path, self._read_to)
                raise
            self._refresh()


class Writer:
    """Adds to the log while its lock is held; what was added counts from `flush` on."""

    def __init__(self, log: TranscriptLog) -> None:
        self._log = log
        self._pending: list[bytes] = []

    def add(self, key: Key, file: str, made_at: float, text: SearchText) -> None:
        """Note a transcript; it replaces an earlier one of the same model."""
        body = msgspec.msgpack.encode(text.lines)
        told = _Told(
            *key,
            file=file,
            made_at=made_at,
            folded=text.folded,
            starts=text.starts.tobytes(),
            speakers=text.speakers,
            body_crc=zlib.crc32(body),
        )
        self._pending += _framed(told, body)

    def remove(self, key: Key) -> None:
        self._pending += _framed(_Gone(*key), b"")

    def flush(self) -> None:
        if self._pending:
            self._log._append(b"".join(self._pending))
            self._pending = []


def _framed(told: _Told | _Gone, body: bytes) -> tuple[bytes, bytes, bytes]:
    head = msgspec.msgpack.encode(told)
    return _FRAME.pack(_MARK, len(head), len(body), zlib.crc32(head)), head, body


def _spoken(told: _Told, file: _File, at: int, head_bytes: int, body_bytes: int) -> Spoken:
    return Spoken(
        told.hash_str,
        told.model,
        told.file,
        told.made_at,
        told.folded,
        array("I", told.starts),
        told.speakers,
        STREAM_BORDER in told.folded,
        file,
        at,
        head_bytes,
        body_bytes,
        told.body_crc,
    )
