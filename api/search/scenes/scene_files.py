"""The index of scenes of one generation of the vector log, in files beside its journal.

`scenes.json` says which files hold the graph and its pieces, how many rows they cover, and which
lines of the journal they were made from. It is replaced, whole, after the files are on disk. An
index for which anything of that does not hold is made anew: it belongs to other vectors, another
version of this code or of usearch, or was cut off. It is mapped only after its digest was found
right, since usearch trusts its files.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from api.search.frames.log import VectorSnapshot
from api.search.index_log import journal_digest, signature
from api.search.scenes.scene_index import (
    LONGEST,
    PIECE,
    SceneIndex,
    add,
    index_type,
    installed,
    new_graph,
    pieces_of,
)
from shared.msgspec_decoding import UNDECODABLE
from shared.private_files import private, publish
from shared.process.memory import free_bytes

_VERSION = 1  # of what pieces and their vectors mean
_STATE = "scenes.json"
_STEP = 1 << 18  # pieces that are published together: some minutes of work
_WORTH_TELLING = 1024  # rows
_LINK_BYTES = 300  # of a piece in a graph, beside its vector


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
    """The index in the folder of one generation."""

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
