"""Exact scores of all wanted rows: float16 rows, float32 sums, in chunks, on a few threads."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

import numkong
import numpy as np
from numpy.typing import NDArray

from api.search.types import QueryVectors, VectorArray

Scores = NDArray[np.float32]
RowRange = tuple[int, int]  # half-open

_CHUNK = 65_536  # rows whose raw products are held at once, by each thread
_EXCLUDE_WEIGHT = np.float32(0.5)


def score(
    vectors: NDArray[np.float16],
    ranges: Sequence[RowRange],
    query: QueryVectors,
    pool: Executor,
    threads: int,
) -> tuple[Scores, Scores]:
    """(base, final) of the rows in `ranges`, end to end: without and with the excluded concepts.

    Where nothing is excluded both are the same array.
    """
    total = sum(stop - start for start, stop in ranges)
    base = np.zeros(total, np.float32)
    final = base if query.exclude is None or not len(query.exclude) else np.zeros_like(base)
    columns = _columns(query)
    if not columns.rows:
        return base, final
    packed = numkong.dots_pack(columns.halves)
    pieces = _pieces(ranges, total, threads)

    def run(piece: list[tuple[RowRange, int]]) -> None:
        raw: Any = numkong.empty((_CHUNK, 2 * columns.rows), dtype="float32")
        products: Scores = np.asarray(raw)
        for batch in _batches(piece):
            filled = 0
            for (start, stop), _ in batch:
                numkong.dots_packed(
                    vectors[start:stop], packed, out=raw[filled : filled + stop - start]
                )
                filled += stop - start
            cosines = products[:filled, : columns.rows] + products[:filled, columns.rows :]
            at = batch[0][1]
            columns.combine(cosines, base[at : at + filled], final[at : at + filled])

    for done in [pool.submit(run, piece) for piece in pieces]:
        done.result()
    return base, final


class _Columns:
    """The query's vectors as columns of one product, and what their cosines add up to."""

    def __init__(self, named: list[tuple[str, VectorArray]], text_weight: float) -> None:
        self._named = [name for name, _ in named]
        self._text_weight = np.float32(text_weight)
        self.rows = len(named)
        exact = np.array([vector for _, vector in named], dtype=np.float32)
        # A float32 query as two float16 halves: their products add up to the float32 result.
        high = exact.astype(np.float16)
        low = (exact - high.astype(np.float32)).astype(np.float16)
        self.halves = np.ascontiguousarray(np.concatenate([high, low]))

    def combine(self, cosines: Scores, base: Scores, final: Scores) -> None:
        for column, name in enumerate(self._named):
            if name == "picture":
                base += cosines[:, column]
            elif name == "query":
                base += self._text_weight * cosines[:, column]
        excluded = [column for column, name in enumerate(self._named) if name == "exclude"]
        if excluded:
            worst = cosines[:, excluded[0] : excluded[-1] + 1].max(axis=1)
            np.maximum(worst, 0, out=worst)
            final[:] = base - _EXCLUDE_WEIGHT * worst


def _columns(query: QueryVectors) -> _Columns:
    named: list[tuple[str, VectorArray]] = []
    if query.picture is not None:
        named.append(("picture", query.picture))
    if query.query is not None:
        named.append(("query", query.query))
    if query.exclude is not None:
        named.extend(("exclude", vector) for vector in query.exclude)
    return _Columns(named, query.text_weight)


def _pieces(
    ranges: Sequence[RowRange], total: int, threads: int
) -> list[list[tuple[RowRange, int]]]:
    """The ranges cut to chunks, with where their scores go, in one list for each thread."""
    share = max(_CHUNK // 8, -(-total // threads))
    pieces: list[list[tuple[RowRange, int]]] = [[]]
    at = 0
    left = share
    for start, stop in ranges:
        while start < stop:
            if left == 0:
                pieces.append([])
                left = share
            end = min(stop, start + _CHUNK, start + left)
            pieces[-1].append(((start, end), at))
            at += end - start
            left -= end - start
            start = end
    return pieces


def _batches(piece: list[tuple[RowRange, int]]) -> list[list[tuple[RowRange, int]]]:
    """Neighbouring small ranges together, so that 10,000 stills are not 10,000 steps."""
    batches: list[list[tuple[RowRange, int]]] = []
    room = 0
    for (start, stop), at in piece:
        if stop - start > room:
            batches.append([])
            room = _CHUNK
        batches[-1].append(((start, stop), at))
        room -= stop - start
    return batches
