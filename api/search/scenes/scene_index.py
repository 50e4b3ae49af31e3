"""One vector a scene in a graph of usearch: which rows are worth looking at for a query.

A vector is the mean of a scene's rows, scaled to length 127 and rounded to bytes; a scene of more
than LONGEST rows has one for each LONGEST of them, since a mean of many pictures is like none of
them. The rows of the scenes that the graph finds are then ranked by what is stored of them, as in
an exact search: a match has its exact score, and what may be missing is a scene that the graph did
not lead to.

usearch is optional, and imported only after a child process has tried it and lived.
"""

from __future__ import annotations

import functools
import importlib
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.search.frames.log import VectorSnapshot
from api.search.types import QueryVectors, RowRange

_log = logging.getLogger(__name__)
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
