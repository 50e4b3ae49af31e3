"""One merged array of embeddings for a (CacheDir, model), in files of our own in STATE_DIR.

STATE_DIR/search/<cache id>/<model>/current names a generation, a folder with `vectors.f16` and
`rows.bin`, which only grow, and `journal.jsonl`, which says which MediaFile's rows lie where. A
later journal line about the same file replaces the earlier one, whose rows are then dead. One
writer at a time holds the lock; replicas map what the journal names, so nobody sees half a file.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from api.search.frames.artefacts import ROW, VisualData
from api.search.frames.scan import RowRange
from api.search.write_lock import WriteLock
from shared.cache import cache_files
from shared.decoding import UNDECODABLE
from shared.errors import CacheError

_log = logging.getLogger(__name__)
_DEAD_ROWS_WORTH_COMPACTING = 20_000
_COPY_ROWS = 65_536
_FLUSH_BYTES = 32 << 20


class Merged(msgspec.Struct, frozen=True, tag="file"):
    """Rows `start` to `start + rows` are the embeddings of this MediaFile."""

    hash_str: str
    file: str  # the data file they were read from
    frames: str  # and the frames artefact that their scenes came from
    start: int
    rows: int
    dim: int


class Gone(msgspec.Struct, frozen=True, tag="gone"):
    hash_str: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one search sees. Arrays are mapped; files that were replaced meanwhile stay readable."""

    vectors: NDArray[np.float16]
    rows: NDArray[np.void]
    files: dict[str, Merged]  # by hash_str
    by_start: tuple[Merged, ...]  # the same, in the order of their rows
    starts: NDArray[np.int64]
    names: NDArray[np.uint64]  # hashes as numbers, in the same order
    everything: list[RowRange]
    generation: str

    @property
    def dim(self) -> int:
        return int(self.vectors.shape[1])

    def ranges(self, hashes: Iterable[str] | None) -> list[RowRange]:
        """Row ranges of these MediaFiles (None: all), in order, neighbours joined."""
        if hashes is None:
            return self.everything
        found = {h: self.files[h] for h in hashes if h in self.files}
        return _joined(sorted(found.values(), key=lambda file: file.start))

    def file_at(self, row: int) -> Merged:
        return self.by_start[int(np.searchsorted(self.starts, row, side="right")) - 1]


class MergedArray:
    """Safe for threads, and for other processes on this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._write_lock = WriteLock(folder / "lock")
        self._state_lock = threading.RLock()  # held for moments: guards everything below
        self._generation = ""
        self._read_to = 0
        self._files: dict[str, Merged] = {}
        self._end = 0  # rows that any journal line names
        self._snapshot: Snapshot | None = None

    def snapshot(self) -> Snapshot:
        """The newest state; costs two small reads when nothing changed."""
        while True:
            with self._state_lock:
                self._refresh()
                if self._snapshot is None and (self._is_sound() or not self._was_replaced()):
                    self._snapshot = self._map()
                if self._snapshot is not None:
                    return self._snapshot

    @contextlib.contextmanager
    def writing(self, wait_s: float) -> Iterator[Writer]:
        """Be the one writer; the state is up to date inside. Raises Unavailable after `wait_s`."""
        with contextlib.ExitStack() as held:
            held.enter_context(self._clear_errors())
            self._folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(self._write_lock.held(wait_s))
            with self._state_lock:
                self._refresh()
                if not self._generation or not self._is_sound():
                    with self._new_generation() as name:
                        self._start_generation(name)
                    self._refresh()
            writer = Writer(self)
            yield writer
            writer.flush()
            if self._dead_rows() > max(_DEAD_ROWS_WORTH_COMPACTING, self._end // 3):
                try:
                    self._compact()
                except OSError as error:  # all data is there; only its room is not given back
                    _log.warning("could not compact %s: %s", self._folder, error)

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CacheError(
                f"The search index in {self._folder} cannot be written: {error.strerror or error}. "
                "RUSHES_STATE_DIR needs room for a copy of all embeddings."
            ) from error

    def _refresh(self) -> None:
        try:
            current = (self._folder / "current").read_text()
        except FileNotFoundError:
            current = ""
        if current != self._generation:
            self._generation, self._read_to, self._end = current, 0, 0
            self._files, self._snapshot = {}, None
        if not current:
            return
        try:
            with open(self._path("journal.jsonl"), "rb") as file:
                if os.fstat(file.fileno()).st_size == self._read_to:
                    return
                file.seek(self._read_to)
                data = file.read()
        except FileNotFoundError:  # someone deleted it: the next writer starts anew
            self._files, self._snapshot, self._read_to, self._end = {}, None, 0, 0
            return
        whole = data.rfind(b"\n") + 1
        self._read_to += whole
        for line in data[:whole].splitlines():
            self._note(line)
        self._snapshot = None

    def _note(self, line: bytes) -> None:
        try:
            entry = msgspec.json.decode(line, type=Merged | Gone)
        except UNDECODABLE:
            if line:
                _log.warning("skipped a torn line in the journal of %s", self._folder)
            return
        if isinstance(entry, Gone):
            self._files.pop(entry.hash_str, None)
        else:
            self._files[entry.hash_str] = entry
            self._end = max(self._end, entry.start + entry.rows)

    def _was_replaced(self) -> bool:
        try:
            return (self._folder / "current").read_text() != self._generation
        except FileNotFoundError:
            return self._generation != ""

    def _map(self) -> Snapshot:
        is_sound = self._is_sound()
        files = dict(self._files) if is_sound else {}
        by_start = tuple(sorted(files.values(), key=lambda file: file.start))
        vectors, rows = np.empty((0, 0), np.float16), np.empty(0, ROW)
        if by_start and self._end:
            shape = (self._end, by_start[0].dim)
            vectors = np.memmap(self._path("vectors.f16"), "<f2", "r", shape=shape).view(np.ndarray)
            rows = np.memmap(self._path("rows.bin"), ROW, "r", shape=shape[:1]).view(np.ndarray)
        return Snapshot(
            vectors,
            rows,
            files,
            by_start,
            starts=np.array([file.start for file in by_start], dtype=np.int64),
            names=np.array([int(file.hash_str, 16) for file in by_start], dtype=np.uint64),
            everything=_joined(by_start),
            generation=self._generation if is_sound else "",
        )

    def _is_sound(self) -> bool:
        """Whether the files are as long as the journal says: mapping beyond their end would kill.

        They are not after a power cut, or when someone deleted or cut one.
        """
        dims = {file.dim for file in self._files.values()}
        try:
            vectors = os.stat(self._path("vectors.f16")).st_size
            rows = os.stat(self._path("rows.bin")).st_size
            journal = os.stat(self._path("journal.jsonl")).st_size
        except FileNotFoundError:
            return False
        return (
            len(dims) <= 1
            and vectors >= self._end * 2 * max(dims, default=0)
            and rows >= self._end * ROW.itemsize
            and journal >= self._read_to
        )

    def _dead_rows(self) -> int:
        return self._end - sum(file.rows for file in self._files.values())

    def _compact(self) -> None:
        """Copy the living rows to a new generation. Readers of the old one keep their mapping."""
        snapshot = self.snapshot()
        with self._new_generation() as name:
            _copy_living(snapshot, self._folder / name)
            with self._state_lock:
                self._start_generation(name)
        with self._state_lock:
            self._refresh()

    @contextlib.contextmanager
    def _new_generation(self) -> Iterator[str]:
        """Name of a new folder with empty files; a disk that runs full gets its room back."""
        name = f"generation-{secrets.token_hex(8)}"
        try:
            (self._folder / name).mkdir()
            for file in ("vectors.f16", "rows.bin", "journal.jsonl"):
                (self._folder / name / file).touch()
            yield name
        except BaseException:
            shutil.rmtree(self._folder / name, ignore_errors=True)
            raise

    def _start_generation(self, name: str) -> None:
        cache_files.write_atomically(self._folder / "current", name.encode(), "current")
        for old in self._folder.glob("generation-*"):
            if old.name != name:
                shutil.rmtree(old, ignore_errors=True)

    def _path(self, name: str) -> Path:
        return self._folder / self._generation / name


class Writer:
    """Adds to the array while its lock is held; what was added counts from `flush` on."""

    def __init__(self, array: MergedArray) -> None:
        self._array = array
        self._pending: list[tuple[Merged, VisualData]] = []
        self._pending_bytes = 0

    @property
    def files(self) -> dict[str, Merged]:
        return self._array._files

    @property
    def dim(self) -> int | None:
        """Dimension of the array, None while it is empty."""
        for added, _ in self._pending:
            return added.dim
        return next((file.dim for file in self._array._files.values()), None)

    def add(self, hash_str: str, data: VisualData) -> None:
        """Append a MediaFile's rows; rows that it had before will be dead."""
        last = self._pending[-1][0] if self._pending else None
        start = last.start + last.rows if last else self._array._end
        rows, dim = data.vectors.shape
        merged = Merged(hash_str, data.file, data.frames, start, rows, dim)
        self._pending.append((merged, data))
        self._pending_bytes += data.vectors.nbytes
        if self._pending_bytes >= _FLUSH_BYTES:
            self.flush()

    def remove(self, hash_str: str) -> None:
        """Its rows are dead from now on."""
        if hash_str in self._array._files:
            self._journal([Gone(hash_str)])

    def flush(self) -> None:
        """Write what was added: rows first, the journal that names them last."""
        if not self._pending:
            return
        array = self._array
        # Written over what a killed writer may have left beyond the journal's end.
        with (
            open(array._path("vectors.f16"), "r+b") as vectors,
            open(array._path("rows.bin"), "r+b") as rows,
        ):
            for merged, data in self._pending:
                vectors.seek(merged.start * merged.dim * 2)
                vectors.write(data.vectors.tobytes())
                rows.seek(merged.start * ROW.itemsize)
                rows.write(data.rows.tobytes())
            for file in (vectors, rows):
                file.flush()
                os.fsync(file.fileno())
        self._journal([merged for merged, _ in self._pending])
        self._pending, self._pending_bytes = [], 0

    def _journal(self, entries: Sequence[Merged | Gone]) -> None:
        lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        with open(self._array._path("journal.jsonl"), "r+b") as file:
            end = file.seek(0, os.SEEK_END)
            if end:
                file.seek(end - 1)
                if file.read(1) != b"\n":  # a killed writer's torn line
                    lines = b"\n" + lines
            file.seek(end)
            file.write(lines)
        with self._array._state_lock:
            self._array._refresh()


def _joined(files: Iterable[Merged]) -> list[RowRange]:
    ranges: list[RowRange] = []
    for file in files:
        if ranges and ranges[-1][1] == file.start:
            ranges[-1] = (ranges[-1][0], file.start + file.rows)
        elif file.rows:
            ranges.append((file.start, file.start + file.rows))
    return ranges


def _copy_living(snapshot: Snapshot, folder: Path) -> None:
    """Write the rows that count, end to end, and the journal that names them."""
    lines = []
    start = 0
    with open(folder / "vectors.f16", "ab") as vectors, open(folder / "rows.bin", "ab") as rows:
        for file in snapshot.by_start:
            for at in range(file.start, file.start + file.rows, _COPY_ROWS):
                end = min(at + _COPY_ROWS, file.start + file.rows)
                vectors.write(snapshot.vectors[at:end].tobytes())
                rows.write(snapshot.rows[at:end].tobytes())
            lines.append(msgspec.structs.replace(file, start=start))
            start += file.rows
        for data in (vectors, rows):
            data.flush()
            os.fsync(data.fileno())
    journal = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    (folder / "journal.jsonl").write_bytes(journal)
