"""The codes for the embeddings of one folder and model: taken up, made, or done without.

Codes are derived data: whatever is wrong with them, searches go on with the stored rows, and codes
are made anew. Any process may make them; one at a time does.

`codes.json`, in the generation's folder, says how many rows are coded, in which set of files
(`codes-<token>/`), and which lines of the journal they were made from. It is replaced, whole, after
the codes are on disk. Codes for which anything of that does not hold are made anew: they belong to
other vectors, an older version of this code or another mean, or were cut off.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from api.search.codes.codes import (
    BOUND,
    Basis,
    Codes,
    Columns,
    EightBitCodes,
    FourBitCodes,
    are_sound,
    worst_of,
)
from api.search.frames.log import VectorSnapshot
from api.search.index_log import WriteLock, journal_digest, signature
from shared.errors import Unavailable
from shared.msgspec_decoding import UNDECODABLE
from shared.private_files import private, publish
from shared.process.memory import free_bytes

_VERSION = 2  # of what codes and bounds mean
_STATE = "codes.json"
_BASIS = "basis.f32"  # the mean, then the rotation
_FILES = ("codes", "factors.f32", "bounds.f32")
_KINDS: dict[int, type[Codes]] = {kind.bits: kind for kind in (EightBitCodes, FourBitCodes)}
_STEP = 1 << 18  # rows that are published together
_CHUNK = 8192
_TRIED = 16  # rows that are decoded when codes are taken up
_log = logging.getLogger(__name__)
WORTH_CODING = 8192  # rows; as many are scanned in a millisecond
_MOST_DIMENSIONS = 2048  # a rotation of more takes too much memory
_GB = 1e9
_AGAIN_AFTER_S = 60.0  # when codes could not be written
_SOON_S = 600.0  # codes that are made anew and given up again within this wait for as long


class CodeState(msgspec.Struct, frozen=True, kw_only=True):
    """What `codes.json` says."""

    version: int
    folder: str
    bits: int
    rows: int
    dim: int
    mean_of: int  # rows that there were when the mean was taken
    basis: str  # digest of the basis
    journal: int  # bytes of the journal that name these rows
    journal_digest: str
    worst: tuple[float, float]


Opened = tuple[CodeState, Codes]


class DoNotFit(Exception):
    """Codes that are not of these vectors, or cannot be used."""


class CodeFiles:
    """The codes in the folder of one generation, beside its journal."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._folder = journal.parent

    def signature(self) -> tuple[int, int] | None:
        """Changes whenever codes are published; None where there are none."""
        return signature(self._folder / _STATE)

    def open(self, vectors: NDArray[np.float16], known: Opened | None = None) -> Opened:
        """The codes of these rows, mapped, what was opened before left out where it is the same.

        Raises DoNotFit; OSError where they cannot be read.
        """
        try:
            state = msgspec.json.decode((self._folder / _STATE).read_bytes(), type=CodeState)
        except UNDECODABLE as error:
            raise DoNotFit("they are damaged") from error
        if state.version != _VERSION or state.bits not in _KINDS:
            raise DoNotFit("they are of another version")
        if state.dim != vectors.shape[1] or state.rows <= 0:
            raise DoNotFit("they are of other rows")
        if journal_digest(self._journal, state.journal) != state.journal_digest:
            raise DoNotFit("they were made from another journal")
        folder = self._folder / state.folder
        is_longer = known is not None and known[0].folder == state.folder
        basis = known[1].basis if known and is_longer else _read_basis(folder / _BASIS, state)
        columns = Columns(
            *(
                _mapped(folder / name, dtype, state.rows)
                for name, dtype in zip(_FILES, _types(state.bits, state.dim), strict=True)
            )
        )
        checked = known[1].count if known and is_longer else 0
        if not are_sound(columns.after(checked), state.worst):
            raise DoNotFit("pages of them are damaged")
        codes = _KINDS[state.bits](basis, state.rows, columns, state.worst)
        some = np.linspace(0, min(len(vectors), state.rows) - 1, _TRIED).astype(np.int64)
        if not codes.hold(vectors, some):
            raise DoNotFit("they are of other vectors or another mean")
        return state, codes

    def make(
        self,
        vectors: NDArray[np.float16],
        journal: int,
        bits: int,
        is_stopped: Callable[[], bool],
    ) -> None:
        """Code all rows that have no codes yet; `journal` bytes of the journal name them all.

        Codes of older rows are kept while their mean is of half the rows or more; new ones are of
        that many bits. What is done is published every now and then, durable. Raises OSError; what
        was published before stays.
        """
        before = 0
        try:
            old, codes = self.open(vectors)
            before = old.rows
            is_new = len(vectors) >= 2 * old.mean_of
        except (DoNotFit, FileNotFoundError):
            is_new = True
        if is_new:
            made = _Set.new(self._folder, vectors, _KINDS[bits])
        else:
            made = _Set(self._folder / old.folder, type(codes), codes.basis, old.basis, old.mean_of)
            made.rows, made.worst = old.rows, old.worst
        self._make(made, vectors, journal, before, is_stopped)

    def discard(self) -> None:
        """Let nobody use the codes that there are."""
        (self._folder / _STATE).unlink(missing_ok=True)

    def _make(
        self,
        made: _Set,
        vectors: NDArray[np.float16],
        journal: int,
        before: int,
        is_stopped: Callable[[], bool],
    ) -> None:
        """Fill a set and publish it as soon as it has more than the `before` rows of the last."""
        digest = journal_digest(self._journal, journal)
        published, ours = made.rows, self.signature() if made.rows else None
        try:
            for stop in range(made.rows + _STEP, len(vectors) + _STEP, _STEP):
                made.add(vectors, min(stop, len(vectors)), is_stopped)
                if is_stopped():
                    break
                if published and self.signature() != ours:
                    break  # others found these codes wrong
                if made.rows > before:
                    self._publish(made, vectors.shape[1], journal, digest)
                    published, ours = made.rows, self.signature()
        finally:
            if not published:
                shutil.rmtree(made.folder, ignore_errors=True)

    def _publish(self, made: _Set, dim: int, journal: int, digest: str) -> None:
        state = CodeState(
            version=_VERSION,
            folder=made.folder.name,
            bits=made.kind.bits,
            rows=made.rows,
            dim=dim,
            mean_of=made.mean_of,
            basis=made.digest,
            journal=journal,
            journal_digest=digest,
            worst=made.worst,
        )
        publish(self._folder / _STATE, msgspec.json.encode(state))
        for old in self._folder.glob("codes-*"):
            if old != made.folder:
                shutil.rmtree(old, ignore_errors=True)


class _Set:
    """Files of codes that are being filled."""

    def __init__(
        self, folder: Path, kind: type[Codes], basis: Basis, digest: str, mean_of: int
    ) -> None:
        self.folder, self.kind = folder, kind
        self.basis, self.digest, self.mean_of = basis, digest, mean_of
        self.rows = 0
        self.worst = (0.0, 0.0)

    @classmethod
    def new(cls, parent: Path, vectors: NDArray[np.float16], kind: type[Codes]) -> _Set:
        basis = Basis.of(vectors)
        content = np.concatenate([basis.mean[None], basis.rotation]).tobytes()
        folder = parent / f"codes-{secrets.token_hex(8)}"
        folder.mkdir(mode=0o700)
        try:
            publish(folder / _BASIS, content)
        except BaseException:  # whatever ends it, a full disk too: half a set stays nowhere
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return cls(folder, kind, basis, hashlib.sha256(content).hexdigest(), len(vectors))

    def add(self, vectors: NDArray[np.float16], stop: int, is_stopped: Callable[[], bool]) -> None:
        """Code the rows up to `stop`; durable, unless it was stopped. Raises OSError."""
        widths = [dtype.itemsize for dtype in _types(self.kind.bits, vectors.shape[1])]
        try:
            with contextlib.ExitStack() as stack:
                files = [stack.enter_context(self._opened(name)) for name in _FILES]
                for file, width in zip(files, widths, strict=True):
                    file.seek(self.rows * width)
                for start in range(self.rows, stop, _CHUNK):
                    if is_stopped():
                        return
                    self._encode(vectors[start : min(start + _CHUNK, stop)], files)
                for file in files:
                    file.flush()
                    os.fsync(file.fileno())
        except OSError:  # a full disk gets back what was written
            for name, width in zip(_FILES, widths, strict=True):
                with contextlib.suppress(OSError):
                    os.truncate(self.folder / name, self.rows * width)
            raise
        self.rows = stop

    def _encode(self, vectors: NDArray[np.float16], files: Sequence[BinaryIO]) -> None:
        columns = self.kind.encode(self.basis, vectors)
        for file, column in zip(files, columns, strict=True):
            file.write(column.tobytes())
        error, norm = worst_of(columns)
        self.worst = max(self.worst[0], error), max(self.worst[1], norm)

    def _opened(self, name: str) -> BinaryIO:
        def create(path: str, flags: int) -> int:
            return private(path, flags | os.O_CREAT)

        return open(self.folder / name, "r+b", opener=create)


def _types(bits: int, dim: int) -> tuple[np.dtype[Any], ...]:
    """What a row is in each of the files."""
    kind = _KINDS[bits]
    return np.dtype((kind.dtype, (kind.width(dim),))), np.dtype(np.float32), BOUND


def bytes_of(bits: int, dim: int) -> int:
    """What a row takes."""
    return sum(dtype.itemsize for dtype in _types(bits, dim))


def _mapped(path: Path, dtype: np.dtype[Any], rows: int) -> NDArray[Any]:
    """An array of so many rows. Raises DoNotFit if the file has not as many."""
    if path.stat().st_size < rows * dtype.itemsize:
        raise DoNotFit("they are cut off")
    array: NDArray[Any] = np.memmap(path, dtype, "r", shape=(rows,)).view(np.ndarray)
    return array


def _read_basis(path: Path, state: CodeState) -> Basis:
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != state.basis:
        raise DoNotFit("their mean is another")
    values = np.frombuffer(content, np.float32).reshape(state.dim + 1, state.dim)
    return Basis(values[0], values[1:])


class CodeStore:
    """Follows the codes of a vector log, whoever makes them. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reading: object = None  # of the journal, and what was opened since
        self._signature: tuple[int, int] | None = None
        self._opened: Opened | None = None
        self._is_short = False  # of memory, as was logged
        self._is_making = False
        self._not_before = 0.0  # time.monotonic
        self._discarded = -_SOON_S  # when codes were last

    def current(self, snapshot: VectorSnapshot) -> Codes | None:
        """Codes that fit the snapshot's rows; more rows may follow that have none."""
        part = snapshot.journal
        if part is None:
            return None
        files = CodeFiles(part.path)
        with self._lock:
            signature = files.signature()
            if self._reading is not part.reading:
                # Lines that were read and then cut off begin another reading.
                self._reading, self._signature, self._opened = part.reading, None, None
            if signature != self._signature:
                self._opened = _opened(files, snapshot, self._opened) if signature else None
                self._signature = signature
                self._tell_of(snapshot)
            return None if self._opened is None else self._opened[1]

    def shortage(self, snapshot: VectorSnapshot) -> str | None:
        """What there is to say where memory has no room for what each search reads."""
        return _shortage(snapshot, self.current(snapshot))

    def _tell_of(self, snapshot: VectorSnapshot) -> None:
        shortage = _shortage(snapshot, self._opened[1]) if self._opened else None
        if shortage and not self._is_short:
            _log.warning("%s: %s", snapshot.journal, shortage)
        self._is_short = bool(shortage)

    def begin(self, snapshot: VectorSnapshot) -> bool:
        """Whether so many rows have no codes that the caller is to call `make` now."""
        codes = self.current(snapshot)
        left = len(snapshot.vectors) - (codes.count if codes else 0)
        if left < WORTH_CODING or snapshot.dim > _MOST_DIMENSIONS:
            return False
        with self._lock:
            if self._is_making or time.monotonic() < self._not_before:
                return False
            self._is_making = True
        return True

    def make(self, snapshot: VectorSnapshot, is_stopped: Callable[[], bool]) -> None:
        """Make codes for the rows that have none, unless another process is at it."""
        assert snapshot.journal is not None
        path, size = snapshot.journal.path, snapshot.journal.size
        try:
            with WriteLock(path.with_name("codes.lock")).held(0):
                bits = _bits_for(*snapshot.vectors.shape)
                CodeFiles(path).make(snapshot.vectors, size, bits, is_stopped)
            if not is_stopped() and self.current(snapshot) is None:
                self._not_before = time.monotonic() + _AGAIN_AFTER_S
        except Unavailable:
            self._not_before = time.monotonic() + 1
        except FileNotFoundError:
            pass  # another generation replaced this one
        except OSError as error:
            self._not_before = time.monotonic() + _AGAIN_AFTER_S
            _log.warning(
                "searches of %s are slower than they could be: no codes could be written: %s",
                path.parent,
                error,
            )
        except Exception:  # noqa: BLE001 - nobody waits for this thread: it would be lost
            self._not_before = time.monotonic() + _AGAIN_AFTER_S
            _log.exception("no codes could be made for %s", path.parent)
        finally:
            self._is_making = False

    def discard(self, snapshot: VectorSnapshot) -> None:
        """Give up codes whose bounds did not hold."""
        if snapshot.journal is not None:
            now = time.monotonic()
            if now - self._discarded < _SOON_S:  # they do not hold here, however often
                self._not_before = now + _SOON_S
            self._discarded = now
            _log.warning("codes in %s did not fit; made anew", snapshot.journal.path.parent)
            with contextlib.suppress(OSError):  # then they are found wrong again
                CodeFiles(snapshot.journal.path).discard()


def _shortage(snapshot: VectorSnapshot, codes: Codes | None) -> str | None:
    size, free = codes.size if codes else snapshot.vectors.nbytes, free_bytes()
    if not free or size <= free:
        return None
    return (
        f"A search reads {size / _GB:.1f} GB of codes or embeddings, and memory has room for "
        f"{free / _GB:.1f} GB: it waits for the disk."
    )


def _bits_for(rows: int, dim: int) -> int:
    """As many as memory has room for: codes are kept until there are twice as many rows."""
    free = free_bytes()
    is_roomy = not free or 2 * rows * bytes_of(8, dim) <= free // 4  # others need memory, too
    return 8 if is_roomy or dim % 2 else 4


def _opened(files: CodeFiles, snapshot: VectorSnapshot, known: Opened | None) -> Opened | None:
    try:
        return files.open(snapshot.vectors, known)
    except FileNotFoundError:
        return None  # replaced just now
    except (DoNotFit, OSError) as error:
        _log.info("codes of %s are made anew: %s", snapshot.journal, error)
        return None
