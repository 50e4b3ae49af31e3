"""The embeddings of a CacheDir by one model, merged into one array; see api/search/index_log.py.

STATE_DIR/search/<cache id>/<model>/current names a generation, a folder with the rows (RowFiles)
and `journal.jsonl`, the log: it says which MediaFile's rows lie where. A later line about the same
file replaces the earlier one, whose rows are then dead. Rows come from visual artefacts, which are
checked; files of a CacheDir are never mapped.
"""

from __future__ import annotations

import contextlib
import io
import logging
import mmap
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from api.search.index_log import IndexLog, Key, LogWriter
from api.search.types import RowRange
from shared.cache import cache_files, limits
from shared.cache.arrays import read_header
from shared.cache.cache_dir import CacheDir
from shared.domain import Manifest, Scene, Stage
from shared.errors import CacheError
from shared.media import MediaType
from shared.msgspec_decoding import UNDECODABLE
from shared.opening import OpenedFile, RootedPath
from shared.private_files import private, publish

_COPY_ROWS = 65_536
_HEAD = 64 << 10  # the longest header, and all of a small file
# What ranking needs of a row, beside its vector. Rows of one scene are neighbours: the scene
# reaches `back` rows back and `ahead` rows ahead (itself counted), wherever the rows lie.
ROW = np.dtype(
    [
        ("second", "<u4"),
        ("back", "<u4"),
        ("ahead", "<u4"),
        ("scene_start", "<u4"),
        ("scene_end", "<u4"),
    ]
)
_log = logging.getLogger(__name__)
_DEAD_ROWS_WORTH_COMPACTING = 20_000
_LARGE = 1 << 30  # bytes of vectors, which may not all stay in memory
_JOURNAL = "journal.jsonl"
_CURRENT = "current"
_NO_ROWS = np.empty((0, 0), np.float16), np.empty(0, ROW)


class RowFiles:
    """The two files of one generation of the vector log, in a folder.

    Row n of `vectors.f16` and row n of `rows.bin` belong together. Both files only grow.
    """

    def __init__(self, folder: Path) -> None:
        self._vectors = folder / "vectors.f16"
        self._rows = folder / "rows.bin"

    def create(self) -> None:
        for path in (self._vectors, self._rows):
            path.touch(mode=0o600)

    def hold(self, rows: int, dim: int) -> bool:
        """Whether the files have so many rows: mapping beyond their end would kill.

        They have not after a power cut, or when someone deleted or cut one.
        """
        try:
            return (
                os.stat(self._vectors).st_size >= rows * 2 * dim
                and os.stat(self._rows).st_size >= rows * ROW.itemsize
            )
        except FileNotFoundError:
            return False

    def mapped(self, rows: int, dim: int) -> tuple[NDArray[np.float16], NDArray[np.void]]:
        """Vectors and rows, mapped: readable also after the files were deleted."""
        vectors = np.memmap(self._vectors, "<f2", "r", shape=(rows, dim))
        return (
            vectors.view(np.ndarray),
            np.memmap(self._rows, ROW, "r", shape=(rows,)).view(np.ndarray),
        )

    def mapped_for_some(self, rows: int, dim: int) -> NDArray[np.float16]:
        """Vectors, mapped so that reading a row here and there reads no more than that."""
        vectors: NDArray[np.float16] = np.memmap(self._vectors, "<f2", "r", shape=(rows, dim))
        with contextlib.suppress(AttributeError):  # not all systems have it
            vectors.base.madvise(mmap.MADV_RANDOM)  # type: ignore[union-attr]
        return vectors.view(np.ndarray)

    def write(self, added: Iterable[tuple[int, VisualData]]) -> None:
        """Put data at its first row, over what a killed writer may have left there; durable."""
        with open(self._vectors, "r+b") as vectors, open(self._rows, "r+b") as rows:
            for start, data in added:
                vectors.seek(start * data.vectors.shape[1] * 2)
                vectors.write(data.vectors.tobytes())
                rows.seek(start * ROW.itemsize)
                rows.write(data.rows.tobytes())
            for file in (vectors, rows):
                file.flush()
                os.fsync(file.fileno())

    def copy_from(
        self, vectors: NDArray[np.float16], rows: NDArray[np.void], ranges: Iterable[RowRange]
    ) -> None:
        """Fill new files with these rows, end to end; durable."""
        with open(self._vectors, "ab") as to_vectors, open(self._rows, "ab") as to_rows:
            for start, stop in ranges:
                for at in range(start, stop, _COPY_ROWS):
                    end = min(at + _COPY_ROWS, stop)
                    to_vectors.write(vectors[at:end].tobytes())
                    to_rows.write(rows[at:end].tobytes())
            for file in (to_vectors, to_rows):
                file.flush()
                os.fsync(file.fileno())


@dataclass(frozen=True, slots=True)
class VisualData:
    """Embeddings of one MediaFile and its rows; `file` and `frames` name what they came from."""

    file: str
    frames: str
    vectors: NDArray[np.float16]
    rows: NDArray[np.void]


def read_visual(cache: CacheDir, hash_str: str, model: str, *, wait_s: float) -> VisualData | None:
    """A visual artefact, None where none is published. Raises CacheError, with the reason.

    `wait_s`: how long to insist, because the catalogue names it and shares deny new files.
    """
    deadline = time.monotonic() + wait_s
    path = manifest_path(cache, hash_str, model)
    while True:
        manifest = cache_files.read_manifest(path, deadline - time.monotonic())
        if manifest is None or manifest.model != model:
            return None
        data = cache.data_path(hash_str, manifest)
        try:
            with cache_files.opened(data, deadline - time.monotonic()) as file:
                vectors = _read_vectors(file, manifest)
        except FileNotFoundError:
            now = cache_files.read_manifest(path)
            if now is None or now.file == manifest.file:
                raise CacheError(f"The file {manifest.file} is missing.") from None
            continue  # replaced and collected meanwhile
        except OSError as error:
            raise CacheError(f"The file {manifest.file} cannot be read: {error}.") from error
        frames = cache.manifest(hash_str, Stage.FRAMES)
        try:
            rows = _rows(_seconds(manifest), frames)
        except (OverflowError, ValueError) as error:
            raise CacheError(f"The manifest of {manifest.file} is damaged: {error}.") from error
        return VisualData(manifest.file, frames.file if frames else "", vectors, rows)


def _read_vectors(opened: OpenedFile, manifest: Manifest) -> NDArray[np.float16]:
    head = os.pread(opened.fd, _HEAD, 0)
    file = io.BytesIO(head)
    try:
        shape, dtype = read_header(file)
    except ValueError as error:
        raise CacheError(f"The file {manifest.file} is no npy file: {error}.") from error
    _check_shape(shape, dtype, manifest)
    if opened.status.st_size - file.tell() != shape[0] * shape[1] * 2:
        raise CacheError(f"The file {manifest.file} is cut off or too long.")
    raw = bytearray(shape[0] * shape[1] * 2)
    target = memoryview(raw)
    done = len(head) - file.tell()
    target[:done] = head[file.tell() :]
    while done < len(target):
        read = os.preadv(opened.fd, [target[done:]], file.tell() + done)
        if not read:
            raise CacheError(f"The file {manifest.file} is cut off.")
        done += read
    vectors = np.frombuffer(raw, np.dtype("<f2")).reshape(shape)
    if not np.isfinite(vectors).all():
        raise CacheError(f"The file {manifest.file} holds values that are no numbers.")
    return vectors


def _check_shape(shape: tuple[int, ...], dtype: np.dtype[Any], manifest: Manifest) -> None:
    if len(shape) != 2 or dtype != np.dtype("<f2") or 0 in shape[1:]:
        raise CacheError(f"The file {manifest.file} does not hold float16 rows.")
    if shape[0] != manifest.rows or (manifest.dim or shape[1]) != shape[1]:
        raise CacheError(
            f"The file {manifest.file} holds {shape[0]} x {shape[1]} values, its manifest says "
            f"{manifest.rows} x {manifest.dim}."
        )
    if shape[1] > limits.DIMENSIONS or shape[0] * shape[1] * 2 > limits.VISUAL:
        raise CacheError(
            f"The file {manifest.file} holds {shape[0]:,} x {shape[1]:,} values; at most "
            f"{limits.DIMENSIONS:,} a row and {limits.VISUAL:,} bytes are read."
        )


def _seconds(manifest: Manifest) -> NDArray[np.int64]:
    if manifest.seconds is None:
        return np.arange(manifest.first_frame, manifest.first_frame + manifest.rows)
    seconds = np.array(manifest.seconds, dtype=np.int64)
    if len(seconds) != manifest.rows or (np.diff(seconds) <= 0).any():
        raise CacheError(f"The manifest of {manifest.file} lists wrong seconds.")
    return seconds


def _rows(seconds: NDArray[np.int64], frames: Manifest | None) -> NDArray[np.void]:
    """Rows with their scenes; without known scenes the whole file is one."""
    rows = np.zeros(len(seconds), dtype=ROW)
    if not len(seconds):
        return rows
    scenes = frames.scenes if frames else ()
    if not scenes:
        scenes = (Scene(int(seconds[0]), int(seconds[-1]) + 1),)
    starts = np.array([scene.start for scene in scenes], dtype=np.int64)
    ends = np.array([scene.end for scene in scenes], dtype=np.int64)
    if (np.diff(starts) <= 0).any():
        raise CacheError("The scenes in the manifest are not in order.")
    # A second outside every scene counts to the one before it (the first has none before).
    scene = np.maximum(np.searchsorted(starts, seconds, side="right") - 1, 0)
    first = np.searchsorted(scene, scene, side="left")
    after = np.searchsorted(scene, scene, side="right")
    place = np.arange(len(seconds))
    rows["second"] = seconds
    rows["back"] = place - first
    rows["ahead"] = after - place
    if frames and frames.probe and frames.probe.media_type is MediaType.IMAGE:
        return rows  # a still: Scene(0, 0)
    rows["scene_start"] = starts[scene]
    rows["scene_end"] = ends[scene]
    return rows


def manifest_path(cache: CacheDir, hash_str: str, model: str) -> RootedPath:
    return cache_files.manifest_path(cache.root, hash_str, Stage.VISUAL, model)


class MergedFile(msgspec.Struct, frozen=True, tag="file"):
    """Rows `start` to `start + rows` are the embeddings of this MediaFile."""

    hash_str: str
    file: str  # the data file they were read from
    frames: str  # and the frames artefact that their scenes came from
    start: int
    rows: int
    dim: int


class RemovedFile(msgspec.Struct, frozen=True, tag="gone"):
    """The embeddings of this MediaFile were deleted."""

    hash_str: str


@dataclass(frozen=True, slots=True)
class JournalPart:
    """The lines that a snapshot was made of."""

    path: Path
    size: int  # bytes
    reading: object  # another one after the log was read from its start again


@dataclass(frozen=True, slots=True, eq=False)
class VectorSnapshot:
    """What one search sees. Arrays are mapped; files that were replaced meanwhile stay readable."""

    vectors: NDArray[np.float16]
    rows: NDArray[np.void]
    files: dict[str, MergedFile]  # by hash_str
    by_start: tuple[MergedFile, ...]  # the same, in the order of their rows
    starts: NDArray[np.int64]
    names: NDArray[np.uint64]  # hashes as numbers, in the same order
    everything: list[RowRange]
    journal: JournalPart | None
    some: NDArray[np.float16]  # the vectors again, for reading a row here and there

    @classmethod
    def of(
        cls,
        vectors: NDArray[np.float16],
        rows: NDArray[np.void],
        files: dict[str, MergedFile],
        journal: JournalPart | None = None,
        some: NDArray[np.float16] | None = None,
    ) -> VectorSnapshot:
        by_start = tuple(sorted(files.values(), key=lambda file: file.start))
        return cls(
            vectors,
            rows,
            files,
            by_start,
            starts=np.array([file.start for file in by_start], dtype=np.int64),
            names=np.array([int(file.hash_str, 16) for file in by_start], dtype=np.uint64),
            everything=_joined(by_start),
            journal=journal,
            some=vectors if some is None else some,
        )

    @property
    def dim(self) -> int:
        return int(self.vectors.shape[1])

    def ranges(self, hashes: Iterable[str] | None) -> list[RowRange]:
        """Row ranges of these MediaFiles (None: all), in order, neighbours joined."""
        if hashes is None:
            return self.everything
        found = {h: self.files[h] for h in hashes if h in self.files}
        return _joined(sorted(found.values(), key=lambda file: file.start))


class VectorWriter(LogWriter):
    """Adds rows to the array, and lines to the journal that name them."""

    def __init__(
        self,
        append: Callable[[bytes], None],
        rows: RowFiles,
        files: dict[str, MergedFile],
        end: int,
    ) -> None:
        super().__init__(append)
        self.files = files  # by hash_str, as they will be after `flush`
        self._rows = rows
        self._end = end
        self._data: list[tuple[int, VisualData]] = []

    @property
    def dim(self) -> int | None:
        """Dimension of the array, None while it is empty."""
        return next((file.dim for file in self.files.values()), None)

    def add(self, hash_str: str, data: VisualData) -> None:
        """Append a MediaFile's rows; rows that it had before will be dead."""
        rows, dim = data.vectors.shape
        merged = MergedFile(hash_str, data.file, data.frames, self._end, rows, dim)
        self._data.append((self._end, data))
        self._end += rows
        self.files[hash_str] = merged
        self._add(_line(merged), data.vectors.nbytes)

    def remove(self, key: Key) -> None:
        """Let a MediaFile's rows be dead from now on."""
        if self.files.pop(key[0], None) is not None:
            self._add(_line(RemovedFile(key[0])))

    def flush(self) -> None:
        """Write what was added: rows first, the journal that names them last."""
        if self._data:
            self._rows.write(self._data)
            self._data = []
        super().flush()


class VectorLog(IndexLog[VectorSnapshot, VectorWriter]):
    """A journal as the log, and the rows that it names; they are there before it names them."""

    name = "search index"
    needs_room_for = "all embeddings"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._current = str(folder / _CURRENT)
        self._rows: RowFiles | None = None
        self._files: dict[str, MergedFile] = {}
        self._end = 0  # rows that any line of the journal names
        self._mapped: VectorSnapshot | None = None

    def _path(self) -> Path:
        try:
            with open(self._current, "rb", buffering=0) as file:
                generation = os.fsdecode(file.read())
        except FileNotFoundError:
            generation = "generation-none"
        return _journal(self._folder, generation)

    def _start_over(self, file: BinaryIO | None) -> None:
        self._rows = None if file is None else RowFiles(Path(file.name).parent)
        self._files, self._end, self._mapped = {}, 0, None

    def _take_up(self, file: BinaryIO, start: int, size: int) -> int:
        if start and os.pread(file.fileno(), 1, start - 1) != b"\n":
            # On a full disk, lines that we had read were cut off, and others came in their place.
            self._start_over(file)
            start = 0
        data = os.pread(file.fileno(), size - start, start)
        whole = data.rfind(b"\n") + 1
        for line in data[:whole].splitlines():
            self._note(line)
        if whole:
            self._mapped = None
        return start + whole

    def _note(self, line: bytes) -> None:
        try:
            entry = msgspec.json.decode(line, type=MergedFile | RemovedFile)
        except UNDECODABLE:
            if line:
                _log.warning("skipped a torn line in the journal of %s", self._folder)
            return
        if isinstance(entry, RemovedFile):
            self._files.pop(entry.hash_str, None)
        else:
            self._files[entry.hash_str] = entry
            self._end = max(self._end, entry.start + entry.rows)

    def _content(self) -> VectorSnapshot:
        while self._mapped is None:
            if self._is_sound():
                with contextlib.suppress(FileNotFoundError):  # replaced just now
                    self._mapped = self._map()
            elif self._source is not None and self._path() != self._source[0]:
                self._follow()  # replaced since it was read
            else:
                self._mapped = VectorSnapshot.of(*_NO_ROWS, {})
        return self._mapped

    def _map(self) -> VectorSnapshot:
        files, arrays, journal, some = dict(self._files), _NO_ROWS, None, None
        if files and self._end and self._rows is not None and self._source is not None:
            dim = next(iter(files.values())).dim
            arrays = self._rows.mapped(self._end, dim)
            journal = JournalPart(self._source[0], self._read_to, self._rows)
            if arrays[0].nbytes > _LARGE:
                some = self._rows.mapped_for_some(self._end, dim)
        return VectorSnapshot.of(*arrays, files, journal, some)

    def _is_sound(self) -> bool:
        """Whether the rows that the journal names are there."""
        dims = {file.dim for file in self._files.values()}
        return (
            self._rows is not None
            and len(dims) <= 1
            and self._rows.hold(self._end, max(dims, default=0))
        )

    def _writer(self) -> VectorWriter:
        with self._state_lock:
            self._follow()
            rows = self._rows
            if rows is None or not self._is_sound():
                with self._new_generation() as folder:
                    rows = RowFiles(folder)
                self._follow()
            return VectorWriter(self._append, rows, dict(self._files), self._end)

    def _compact_when_due(self) -> None:
        """Copy the living rows to a new generation. Readers of the old one keep their mapping."""
        snapshot = self.snapshot()
        living = sum(file.rows for file in snapshot.by_start)
        if self._end - living <= max(_DEAD_ROWS_WORTH_COMPACTING, self._end // 3):
            return
        with self._new_generation() as folder:
            ranges = [(file.start, file.start + file.rows) for file in snapshot.by_start]
            RowFiles(folder).copy_from(snapshot.vectors, snapshot.rows, ranges)
            with open(folder / _JOURNAL, "wb", opener=private) as journal:
                end = 0
                for file in snapshot.by_start:
                    journal.write(_line(msgspec.structs.replace(file, start=end)))
                    end += file.rows

    @contextlib.contextmanager
    def _new_generation(self) -> Iterator[Path]:
        """A folder with empty files to fill, which replaces the others if that succeeds.

        A disk that runs full gets its room back.
        """
        folder = self._folder / f"generation-{secrets.token_hex(8)}"
        with contextlib.ExitStack() as replacing:
            try:
                folder.mkdir(mode=0o700)
                RowFiles(folder).create()
                (folder / _JOURNAL).touch(mode=0o600)
                yield folder
                replacing.enter_context(self._state_lock)  # no search meets it half done
                publish(self._folder / _CURRENT, folder.name.encode())
            except BaseException:  # whatever ends it: half a generation stays nowhere
                shutil.rmtree(folder, ignore_errors=True)
                raise
            for old in self._folder.glob("generation-*"):
                if old != folder:  # renamed first: an index of scenes may just be saved in there
                    with contextlib.suppress(OSError):
                        old.rename(old.with_name(f"replaced-{old.name}"))
            for old in self._folder.glob("replaced-*"):
                shutil.rmtree(old, ignore_errors=True)


@lru_cache(maxsize=256)  # each search asks
def _journal(folder: Path, generation: str) -> Path:
    return folder / generation / _JOURNAL


def _line(entry: MergedFile | RemovedFile) -> bytes:
    return msgspec.json.encode(entry) + b"\n"


def _joined(files: Iterable[MergedFile]) -> list[RowRange]:
    ranges: list[RowRange] = []
    for file in files:
        if ranges and ranges[-1][1] == file.start:
            ranges[-1] = (ranges[-1][0], file.start + file.rows)
        elif file.rows:
            ranges.append((file.start, file.start + file.rows))
    return ranges
