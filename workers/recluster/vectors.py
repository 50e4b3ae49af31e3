"""Arithmetic on many unit rows in small blocks, so that memory stays low and a cancel is heard."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from workers.recluster.types import Embeddings, Rows

_CELLS = 4_000_000  # of one block of a similarity matrix: 16 MB, about 50 ms of work
_SUMMED_ROWS = 8192


def unit(rows: Rows) -> Rows:
    """Rows of length 1; rows of zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Rows = rows / np.maximum(lengths, np.float32(1e-12))
    return scaled


def sound(embeddings: Embeddings) -> NDArray[np.bool_]:
    """[n] whether the row has a direction: no zeros only, nothing infinite or undefined."""
    found = np.empty(len(embeddings), bool)
    for start in range(0, len(embeddings), _SUMMED_ROWS):
        some = slice(start, start + _SUMMED_ROWS)
        lengths = np.linalg.norm(embeddings[some].astype(np.float32), axis=-1)
        found[some] = (lengths > 1e-6) & np.isfinite(lengths)
    return found


def blocks(rows: int, columns: int) -> Iterator[slice]:
    """Slices of the rows of a similarity matrix with that many columns."""
    size = min(max(_CELLS // max(columns, 1), 32), 1024)
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def sums_by_label(embeddings: Embeddings, labels: NDArray[np.integer], count: int) -> Rows:
    """[count, dim] sum of the rows of each label; rows with a negative label count nowhere."""
    sums = np.zeros((count, embeddings.shape[-1]), np.float32)
    order = np.argsort(labels, kind="stable")
    order = order[np.searchsorted(labels[order], 0) :]
    for start in range(0, len(order), _SUMMED_ROWS):
        chosen = order[start : start + _SUMMED_ROWS]
        own = labels[chosen]
        first = np.flatnonzero(np.diff(own, prepend=-1))
        rows = embeddings[chosen].astype(np.float32)
        sums[own[first]] += np.add.reduceat(rows, first, axis=0)
    return sums


def products(rows: Embeddings, chosen: NDArray[np.integer], means: Rows) -> NDArray[np.float32]:
    """[n] product of each row with the mean chosen for it."""
    found = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _SUMMED_ROWS):
        part = slice(start, start + _SUMMED_ROWS)
        found[part] = np.einsum("ij,ij->i", rows[part].astype(np.float32), means[chosen[part]])
    return found
