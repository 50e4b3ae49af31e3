"""The embeddings of a CacheDir and what ranking needs of each, in two files that are mapped.

Row n of `vectors.f16` and row n of `rows.bin` belong together. Both files only grow.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from api.search.frames.artefacts import ROW, VisualData
from api.search.frames.scan import RowRange

_COPY_ROWS = 65_536


class RowFiles:
    """The two files of one generation of the vector log, in a folder."""

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
