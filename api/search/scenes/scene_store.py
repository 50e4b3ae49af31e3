"""The index of scenes for the embeddings of one folder and model: taken up, made, or done without.

A vector in a graph of usearch is the mean of a scene's rows, scaled to length 127 and rounded to
bytes; a scene of more than LONGEST rows has one for each LONGEST of them, since a mean of many
pictures is like none of them. The rows of the scenes that the graph finds are then ranked by what
is stored of them: a match has its exact score, and what may be missing is a scene that the graph
did not lead to.

It is derived data: whatever is wrong with it, searches are exact, and it is made again. All that
takes time is done beside requests, by one thread that comes after others. Any process may make it;
one at a time does. usearch is optional, and imported only after a child process has tried it and
lived.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import importlib
import logging
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from api.search.frames.log import VectorSnapshot
from api.search.index_log import WriteLock, journal_digest, signature
from api.search.types import FrameSearch, QueryVectors, RowRange
from shared.errors import Unavailable
from shared.msgspec_decoding import UNDECODABLE
from shared.private_files import private, publish
from shared.process.memory import free_bytes

_PACKAGE = "usearch"
_TRIAL_S = 60.0  # a busy machine; it takes half a second
# What the API does, in the order in which the API does it.
_TRIAL = """
import numkong, numpy as np
from usearch.index import Index
vectors = 127 * np.eye(64, dtype=np.int8)
index = Index(ndim=64, metric="ip", dtype="i8")
index.add(np.arange(64), vectors, threads=1)
assert index.search(vectors[7], 3, threads=1).keys[0] == 7
halves = vectors.astype(np.float16)
numkong.dots_packed(halves, numkong.dots_pack(halves))
"""
PIECE = np.dtype([("start", "<i8"), ("rows", "<i4")])
LONGEST = 32  # rows that one vector stands for
MOST_RESULTS = 250  # beyond it a pass over codes is about as quick
_FOR_EACH = 6  # pieces that are looked at for each match that is wanted
_LEAST = 64
_BATCH = 256  # pieces that are added between two looks at whether to stop
_LINKS = {"connectivity": 16, "expansion_add": 128}
_TRIED = 16  # pieces whose vectors are compared when an index is taken up
_NEAR = 1  # by which a value of a vector that is summed anew may differ
_VERSION = 1  # of what pieces and their vectors mean
_STATE = "scenes.json"
_STEP = 1 << 18  # pieces that are published together: some minutes of work
_WORTH_TELLING = 1024  # rows
_LINK_BYTES = 300  # of a piece in a graph, beside its vector
_log = logging.getLogger(__name__)
WORTH_INDEXING = 4096  # rows; as many are scanned in half a millisecond
_OF_ALL = 128  # a part of all rows that is worth writing the whole index again
_AGAIN_AFTER_S = 60.0  # when it could not be made, or there was nothing to make
_WHILE_OTHERS_S = 5.0  # another process makes it
_NICE = 5  # more would let it be interrupted for long while it has the interpreter


@functools.cache
def missing() -> str | None:
    """Why usearch cannot be used here, None where it can. The first call may take a second.

    A kernel of another CPU ends a process (SIGILL): better a child's than the API's.
    """
    if installed() is None:
        return "usearch is not installed (pip install 'rushes[fast]')"
    command = [sys.executable, "-P", "-c", _TRIAL]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TRIAL_S
        )
        failed = done.returncode and f"{done.stderr.strip()[-300:]} ({done.returncode})"
    except (OSError, subprocess.TimeoutExpired) as error:
        failed = str(error)
    if failed:
        _log.warning("searches in the mode fast are exact: usearch does not work here: %s", failed)
        return "usearch does not work on this machine (the server's log says more)"
    return None


@functools.cache
def installed() -> str | None:
    """Which version is installed; looks, and imports nothing."""
    try:
        return version(_PACKAGE)
    except PackageNotFoundError:
        return None


def index_type() -> Any:
    """Index, of usearch; to be asked for only where nothing is `missing`."""
    return importlib.import_module("usearch.index").Index


class SceneIndex:
    """The pieces of the rows before `rows`, and their vectors. Safe for threads."""

    def __init__(self, graph: Any, pieces: NDArray[np.void], rows: int) -> None:
        self.graph, self.pieces, self.rows = graph, pieces, rows
        self._lock = threading.Lock()  # searches at once would share the graph's scratch memory

    def fits(self, snapshot: VectorSnapshot) -> bool:
        """Whether vectors of some pieces are those of these rows."""
        if len(self.graph) != len(self.pieces) or self.graph.ndim != snapshot.dim:
            return False
        if not len(self.pieces):
            return True
        last = self.pieces[-1]
        if int(last["start"]) + int(last["rows"]) > len(snapshot.vectors):
            return False
        some = np.linspace(0, len(self.pieces) - 1, _TRIED).astype(np.int64)
        return all(self._is_of(int(key), snapshot) for key in some)

    def ranges(
        self, snapshot: VectorSnapshot, query: QueryVectors, max_results: int
    ) -> list[RowRange]:
        """Rows worth looking at, ascending: of scenes that are found, and all that came later."""
        wanted = asked = max(_LEAST, _FOR_EACH * max_results)
        sought = _bytes(_sought(query))
        while True:
            with self._lock:
                found = self.graph.search(sought, asked, threads=1).keys
            pieces = self._living(self.pieces[np.sort(found.astype(np.int64))], snapshot)
            if len(pieces) >= wanted or asked >= len(self.graph):
                break
            asked *= 4  # others are of files that were replaced or deleted since
        first = pieces["start"].tolist()
        last = (pieces["start"] + pieces["rows"]).tolist()
        later = [(max(a, self.rows), b) for a, b in snapshot.everything if b > self.rows]
        return _joined([*zip(first, last, strict=True), *later])

    def _living(self, pieces: NDArray[np.void], snapshot: VectorSnapshot) -> NDArray[np.void]:
        """The pieces of files that are still there."""
        living = np.array(snapshot.everything, np.int64).reshape(-1, 2)
        at = np.searchsorted(living[:, 0], pieces["start"], side="right") - 1
        there: NDArray[np.void] = pieces[(at >= 0) & (pieces["start"] < living[at, 1])]
        return there

    def _is_of(self, key: int, snapshot: VectorSnapshot) -> bool:
        (vector,) = _bytes(sums_of(snapshot.vectors, self.pieces[key : key + 1])).astype(np.int64)
        stored = self.graph.get(key)
        return stored is not None and bool((np.abs(stored - vector) <= _NEAR).all())


def add(
    graph: Any, vectors: NDArray[np.float16], pieces: NDArray[np.void], first_key: int
) -> Iterator[None]:
    """Add pieces of a file, some at each step, in this thread; other threads run meanwhile."""
    for at in range(0, len(pieces), _BATCH):
        some = pieces[at : at + _BATCH]
        keys = np.arange(first_key + at, first_key + at + len(some), dtype=np.uint64)
        graph.add(keys, _bytes(sums_of(vectors, some)), threads=1)
        yield


def new_graph(dim: int) -> Any:
    return index_type()(ndim=dim, metric="ip", dtype="i8", **_LINKS)


def pieces_of(rows: NDArray[np.void], start: int) -> NDArray[np.void]:
    """The pieces of a file whose first row is `start`."""
    firsts = np.flatnonzero(rows["back"] == 0)
    lengths = np.diff(np.append(firsts, len(rows)))
    parts = -(-lengths // LONGEST)
    scene = np.repeat(np.arange(len(firsts)), parts)
    part = np.arange(len(scene)) - np.repeat(np.cumsum(parts) - parts, parts)
    begins = part * lengths[scene] // parts[scene]
    ends = (part + 1) * lengths[scene] // parts[scene]
    pieces = np.empty(len(scene), PIECE)
    pieces["start"] = start + firsts[scene] + begins
    pieces["rows"] = ends - begins
    return pieces


def sums_of(vectors: NDArray[np.float16], pieces: NDArray[np.void]) -> NDArray[np.float32]:
    """[pieces, d]: the sum of the rows of each, in the direction of the mean; of neighbours."""
    first = int(pieces["start"][0])
    end = int(pieces["start"][-1]) + int(pieces["rows"][-1])
    rows = vectors[first:end].astype(np.float32)
    sums: NDArray[np.float32] = np.add.reduceat(rows, pieces["start"] - first, axis=0)
    return sums


def _bytes(vectors: NDArray[np.floating]) -> NDArray[np.int8]:
    """Vectors scaled to length 127 and rounded; usearch itself would cut off, not round."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: NDArray[np.int8] = np.rint(vectors * (127 / np.where(lengths > 0, lengths, 1))).astype(
        np.int8
    )
    return scaled


def _sought(query: QueryVectors) -> NDArray[np.float64]:
    weighted = [(query.picture, 1.0), (query.query, query.text_weight)]
    parts = [w * vector.astype(np.float64) for vector, w in weighted if vector is not None]
    return sum(parts[1:], parts[0])


def _joined(ranges: list[RowRange]) -> list[RowRange]:
    """Ascending ranges, neighbours as one."""
    found: list[RowRange] = []
    for start, stop in ranges:
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], stop)
        else:
            found.append((start, stop))
    return found


class SceneState(msgspec.Struct, frozen=True, kw_only=True):
    """What `scenes.json` says."""

    version: int
    library: str
    name: str  # of the files
    rows: int
    pieces: int
    dim: int
    journal: int  # bytes of the journal that name these rows
    journal_digest: str
    graph_digest: str
    pieces_digest: str


class WrongScenes(Exception):
    """An index that is not of these vectors, or cannot be used."""


class SceneFiles:
    """The index in the folder of one generation.

    `scenes.json` is replaced, whole, after the files that it names are on disk. They are mapped
    only after their digests were found right, since usearch trusts its files.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._folder = journal.parent

    def signature(self) -> tuple[int, int] | None:
        """Changes whenever an index is published; None where there is none."""
        return signature(self._folder / _STATE)

    def open(self, snapshot: VectorSnapshot) -> SceneIndex:
        """The index for these rows, mapped.

        Raises WrongScenes, FileNotFoundError where there is none, OSError where it is unreadable.
        """
        return self._open(snapshot, view=True)

    def make(self, snapshot: VectorSnapshot, is_stopped: Callable[[], bool]) -> bool:
        """Add all files that came after the index was made, or begin with all there are.

        What is done is published every now and then; False: there was nothing to publish. Raises
        OSError; what was published stays.
        """
        assert snapshot.journal is not None
        scenes = np.count_nonzero(snapshot.rows["back"] == 0)
        most_pieces = scenes + len(snapshot.rows) // LONGEST
        needed = most_pieces * (2 * snapshot.dim + _LINK_BYTES)
        if (free := free_bytes()) and needed > free // 2:
            raise OSError(errno.ENOMEM, f"it needs {needed >> 20} MB of memory")
        try:
            made = self._open(snapshot, view=False)
        except (WrongScenes, OSError):
            made = SceneIndex(new_graph(snapshot.dim), np.empty(0, PIECE), 0)
        digest = journal_digest(self._journal, snapshot.journal.size)
        graph, parts, rows, unpublished = made.graph, [made.pieces], made.rows, 0
        for file in [file for file in snapshot.by_start if file.start >= rows]:
            end = file.start + file.rows
            parts.append(pieces_of(snapshot.rows[file.start : end], file.start))
            for _ in add(graph, snapshot.vectors, parts[-1], len(graph)):
                if is_stopped():
                    return False
            rows = end
            unpublished += len(parts[-1])
            if unpublished >= _STEP:
                self._publish(graph, np.concatenate(parts), rows, snapshot, digest)
                unpublished = 0
        pieces, rows = np.concatenate(parts), len(snapshot.rows)
        # Rows of files that are gone already need no piece, and are done with, too.
        if unpublished or (len(pieces) and rows - made.rows >= _WORTH_TELLING):
            self._publish(graph, pieces, rows, snapshot, digest)
        return rows > made.rows and len(pieces) > 0

    def _open(self, snapshot: VectorSnapshot, *, view: bool) -> SceneIndex:
        try:
            state = msgspec.json.decode((self._folder / _STATE).read_bytes(), type=SceneState)
        except UNDECODABLE as error:
            raise WrongScenes("it is damaged") from error
        if (state.version, state.library) != (_VERSION, installed()):
            raise WrongScenes("it is of another version")
        if state.dim != snapshot.dim or not 0 < state.rows <= len(snapshot.rows):
            raise WrongScenes("it is of other rows")
        if journal_digest(self._journal, state.journal) != state.journal_digest:
            raise WrongScenes("it was made from another journal")
        graph, pieces = self._paths(state.name)
        if _file_digest(graph) != state.graph_digest or _file_digest(pieces) != state.pieces_digest:
            raise WrongScenes("it is cut off or damaged")
        with _failing():
            found = index_type().restore(str(graph), view=view)
        if found is None:
            raise WrongScenes("usearch does not know it")
        index = SceneIndex(found, np.fromfile(pieces, PIECE), state.rows)
        if not index.fits(snapshot):
            raise WrongScenes("it is of other vectors")
        return index

    def _publish(
        self,
        graph: Any,
        pieces: NDArray[np.void],
        rows: int,
        snapshot: VectorSnapshot,
        digest: str,
    ) -> None:
        assert snapshot.journal is not None
        name = f"scenes-{secrets.token_hex(8)}"
        paths = self._paths(name)
        try:
            publish(paths[1], pieces.tobytes())
            _save(graph, paths[0])
            state = SceneState(
                version=_VERSION,
                library=installed() or "",
                name=name,
                rows=rows,
                pieces=len(pieces),
                dim=snapshot.dim,
                journal=snapshot.journal.size,
                journal_digest=digest,
                graph_digest=_file_digest(paths[0]),
                pieces_digest=_file_digest(paths[1]),
            )
            publish(self._folder / _STATE, msgspec.json.encode(state))
        except BaseException:  # whatever ends it, a full disk too: half an index stays nowhere
            for path in paths:
                path.unlink(missing_ok=True)
            raise
        for old in self._folder.glob("scenes-*"):
            if old not in paths:
                old.unlink(missing_ok=True)

    def _paths(self, name: str) -> tuple[Path, Path]:
        return self._folder / f"{name}.usearch", self._folder / f"{name}.pieces"


def _save(graph: Any, path: Path) -> None:
    """Write a graph, durable. Raises OSError; what was written of it may stay."""
    os.close(private(str(path), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    with _failing():
        graph.save(str(path))
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        if os.fstat(file.fileno()).st_size != graph.serialized_length:
            raise OSError(errno.EIO, "it was not written whole")


def _file_digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _failing() -> Any:
    """As OSError, what usearch says of files."""
    try:
        yield
    except RuntimeError as error:
        raise OSError(errno.EIO, str(error)) from error


class SceneStore:
    """Follows the index of a vector log, whoever makes it. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reading: object = None
        self._signature: tuple[int, int] | None = None
        self._index: SceneIndex | None = None
        self._is_busy = False
        self._is_impossible = installed() is None
        self._not_before = 0.0  # time.monotonic

    def current(self, snapshot: VectorSnapshot) -> SceneIndex | str:
        """An index of nearly all of the snapshot's rows, or why there is none. Never waits."""
        if self._is_impossible:
            return missing() or ""
        if len(snapshot.rows) < WORTH_INDEXING:
            return "so few frames need no index"
        with self._lock:
            part = snapshot.journal
            index = self._index if part is not None and part.reading is self._reading else None
        if index is None or _left(index, snapshot) > 2 * _worth(snapshot):
            return "the index of this cache_dir is not ready yet"
        return index

    def begin(self, snapshot: VectorSnapshot) -> bool:
        """Whether there is work, so that the caller is to have `bring_up` called."""
        part = snapshot.journal
        if part is None or self._is_impossible or len(snapshot.rows) < WORTH_INDEXING:
            return False
        signature = SceneFiles(part.path).signature()
        with self._lock:
            if self._is_busy or time.monotonic() < self._not_before:
                return False
            is_known = (part.reading, signature) == (self._reading, self._signature)
            if is_known and _left(self._index, snapshot) < _worth(snapshot):
                return False
            self._is_busy = True
        return True

    def bring_up(self, snapshot: VectorSnapshot, is_stopped: Callable[[], bool]) -> None:
        """Take up the index that is there and add what it lacks, unless another process does."""
        assert snapshot.journal is not None
        folder = snapshot.journal.path.parent
        not_before = time.monotonic() + _AGAIN_AFTER_S  # whatever it is that fails
        try:
            if is_stopped():
                return
            if missing():
                self._is_impossible = True
                return
            self._take_up(snapshot)
            has_more = True
            if _left(self._index, snapshot) >= _worth(snapshot):
                with WriteLock(folder / "scenes.lock").held(0):
                    has_more = SceneFiles(snapshot.journal.path).make(snapshot, is_stopped)
                self._take_up(snapshot)
            if has_more:
                not_before = 0.0
        except Unavailable:
            not_before = time.monotonic() + _WHILE_OTHERS_S
        except FileNotFoundError:
            not_before = 0.0  # another generation replaced this one
        except OSError as error:
            _log.warning("the mode fast is not ready for %s: no index: %s", folder, error)
        except Exception:  # noqa: BLE001 - nobody waits for this thread: it would be lost
            _log.exception("the mode fast is not ready for %s", folder)
        finally:
            self._not_before = not_before
            self._is_busy = False

    def _take_up(self, snapshot: VectorSnapshot) -> None:
        assert snapshot.journal is not None
        files = SceneFiles(snapshot.journal.path)
        signature, index = files.signature(), None
        with self._lock:
            if (snapshot.journal.reading, signature) == (self._reading, self._signature):
                return
        if signature is not None:
            try:
                index = files.open(snapshot)
            except (WrongScenes, OSError) as error:
                _log.info("the index of scenes in %s is made anew: %s", snapshot.journal, error)
        with self._lock:
            self._reading, self._signature = snapshot.journal.reading, signature
            self._index = index


def thread_for_leisure() -> ThreadPoolExecutor:
    """A thread that, on Linux, comes after others."""
    return ThreadPoolExecutor(1, "scenes", initializer=_be_nice)


def _be_nice() -> None:
    if hasattr(os, "setpriority") and os.uname().sysname == "Linux":  # there it is one thread's
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def _left(index: SceneIndex | None, snapshot: VectorSnapshot) -> int:
    """Rows that came after the index was made."""
    return len(snapshot.rows) - (index.rows if index else 0)


def _worth(snapshot: VectorSnapshot) -> int:
    return max(WORTH_INDEXING, len(snapshot.rows) // _OF_ALL)


def ranges_for(
    store: SceneStore, snapshot: VectorSnapshot, search: FrameSearch, max_results: int
) -> list[RowRange] | str:
    """Rows that hold nearly all of the best matches, or the reason to look at all of them."""
    if search.frames is not None:
        return "people_filter or spoken needs all frames"
    if search.vectors.exclude is not None and len(search.vectors.exclude):
        return "exclude needs the scores of all frames"
    if search.hashes is not None and not snapshot.files.keys() <= search.hashes:
        return "media_paths or filters leave files out"
    if max_results > MOST_RESULTS:
        return f"max_results is over {MOST_RESULTS}"
    index = store.current(snapshot)
    if isinstance(index, str):
        return index
    return index.ranges(snapshot, search.vectors, max_results)
