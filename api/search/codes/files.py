"""Codes of a generation of the vector log, in files that are mapped and only grow.

`codes.json`, in the generation's folder, says how many rows are coded, in which set of files
(`codes-<token>/`), and which lines of the journal they were made from. It is replaced, whole, after
the codes are on disk. Codes for which anything of that does not hold are made anew: they belong to
other vectors, an older version of this code or another mean, or were cut off.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from api.search.codes.basis import Basis
from api.search.codes.codes import BOUND, Codes, Columns, are_sound, worst_of
from api.search.codes.int4 import FourBitCodes
from api.search.codes.int8 import EightBitCodes
from api.search.derived_files import journal_digest, signature
from shared.msgspec_decoding import UNDECODABLE
from shared.private_files import private, publish

_VERSION = 2  # of what codes and bounds mean
_STATE = "codes.json"
_BASIS = "basis.f32"  # the mean, then the rotation
_FILES = ("codes", "factors.f32", "bounds.f32")
_KINDS: dict[int, type[Codes]] = {kind.bits: kind for kind in (EightBitCodes, FourBitCodes)}
_STEP = 1 << 18  # rows that are published together
_CHUNK = 8192
_TRIED = 16  # rows that are decoded when codes are taken up


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
        return open(self.folder / name, "r+b", opener=_created)


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


def _created(path: str, flags: int) -> int:
    return private(path, flags | os.O_CREAT)
