"""Exact scores of stored rows: float16 rows, float32 sums, in chunks, on a few threads.

A row's score depends on the row and the query alone, to the last bit: not on the rows beside it in
a chunk, nor on other columns of the product. So rows that are scored again, few at a time, keep
their order and their ties. A test guards it, because the kernel does not promise it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

import numkong
import numpy as np
from numpy.typing import NDArray

from api.search.types import QueryVectors, VectorArray

Scores = NDArray[np.float32]
RowRange = tuple[int, int]  # half-open
Piece = list[tuple[RowRange, int]]  # rows, and where their scores go

_CHUNK = 65_536  # rows whose raw products are held at once, by each thread
_SHARES = 8  # of a thread, so that one that others keep from its core has less to do
_LEAST = 8192  # rows that are worth another thread
EXCLUDE_WEIGHT = np.float32(0.5)


def score(
    vectors: NDArray[np.float16],
    ranges: Sequence[RowRange],
    query: QueryVectors,
    pool: Executor | None,
    threads: int,
) -> tuple[Scores, Scores]:
    """(base, final) of the rows in `ranges`, end to end: without and with the excluded concepts.

    Where nothing is excluded both are the same array. A pool is needed for several threads.
    """
    columns = _columns(query)
    total = int(sum(stop - start for start, stop in ranges))
    base = np.zeros(total, np.float32)
    final = base if query.exclude is None or not len(query.exclude) else np.zeros_like(base)
    if not columns.rows:
        return base, final
    packed = numkong.dots_pack(columns.halves)

    def run(piece: Piece) -> None:
        raw: Any = numkong.empty((min(_CHUNK, total), 2 * columns.rows), dtype="float32")
        products: Scores = np.asarray(raw)
        for batch in batches(piece, _CHUNK):
            filled = 0
            for (start, stop), _ in batch:
                numkong.dots_packed(
                    vectors[start:stop], packed, out=raw[filled : filled + stop - start]
                )
                filled += stop - start
            cosines = products[:filled, : columns.rows] + products[:filled, columns.rows :]
            at = batch[0][1]
            columns.combine(cosines, base[at : at + filled], final[at : at + filled])

    side_by_side(run, pieces(ranges, total, threads, _CHUNK), pool, threads)
    return base, final


def score_rows(
    vectors: NDArray[np.float16], rows: NDArray[np.int64], query: QueryVectors
) -> tuple[Scores, Scores]:
    """Scores as `score` gives them, of some rows anywhere, in this thread."""
    return score(vectors[rows], [(0, len(rows))], query, None, 1)


def side_by_side(
    run: Callable[[Piece], None], work: list[Piece], pool: Executor | None, threads: int
) -> None:
    """`run` of each piece, by this thread and others: whoever is done takes the next."""
    left = iter(work)

    def run_some() -> None:
        for piece in left:
            run(piece)

    count = min(threads, len(work)) - 1 if pool else 0
    others = [pool.submit(run_some) for _ in range(count)] if pool else []
    run_some()
    for other in others:
        if not other.cancel():  # else it has not even begun, and nothing is left
            other.result()


class _Columns:
    """The query's vectors as columns of one product, and what their cosines add up to."""

    def __init__(self, named: list[tuple[str, VectorArray]], text_weight: float) -> None:
        self._named = [name for name, _ in named]
        self._text_weight = np.float32(text_weight)
        self.rows = len(named)
        exact = np.array([vector for _, vector in named], dtype=np.float32)
        # A float32 query as two float16 halves: their products add up to the float32 result.
        # numpy rounds to the same, and takes 50 times as long for the tiny values of the lower one.
        high = np.asarray(numkong.astype(exact, "float16"))
        low = np.asarray(numkong.astype(exact - high.astype(np.float32), "float16"))
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
            final[:] = base - EXCLUDE_WEIGHT * worst


def _columns(query: QueryVectors) -> _Columns:
    named: list[tuple[str, VectorArray]] = []
    if query.picture is not None:
        named.append(("picture", query.picture))
    if query.query is not None:
        named.append(("query", query.query))
    if query.exclude is not None:
        named.extend(("exclude", vector) for vector in query.exclude)
    return _Columns(named, query.text_weight)


def pieces(ranges: Sequence[RowRange], total: int, threads: int, chunk: int) -> list[Piece]:
    """The ranges cut to chunks, with where their scores go, in some lists for each thread."""
    share = max(_LEAST, -(-total // (_SHARES * threads if threads > 1 else 1)))
    found: list[Piece] = [[]]
    at = 0
    left = share
    for start, stop in ranges:
        while start < stop:
            if left == 0:
                found.append([])
                left = share
            end = min(stop, start + chunk, start + left)
            found[-1].append(((start, end), at))
            at += end - start
            left -= end - start
            start = end
    return found


def batches(piece: Piece, chunk: int) -> list[Piece]:
    """Neighbouring small ranges together, so that 10,000 stills are not 10,000 steps."""
    found: list[Piece] = []
    room = 0
    for (start, stop), at in piece:
        if stop - start > room:
            found.append([])
            room = chunk
        found[-1].append(((start, stop), at))
        room -= stop - start
    return found
