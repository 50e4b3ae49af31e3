"""Scores of rows, exact or estimated: an estimate has a bound on its error.

Places are positions in a list of scores; they lead to rows of the merged array, and to hits. Stored
float16 rows decide (api/search/frames/ranking.py), so whatever finds candidates gives the same
answers, as long as its bounds hold. `tests/contract/search/test_candidate_finders.py` is the suite
for all of them. Kernels are NumKong's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numkong
import numpy as np
from numpy.typing import NDArray

from api.people.frame_filter import FrameFilter
from api.search.frames.log import VectorSnapshot
from api.search.types import Hit, QueryVectors, RowRange, Scores, VectorArray
from shared.domain import Scene

Piece = list[tuple[RowRange, int]]  # rows, and where their scores go

_CHUNK = 65_536  # rows whose raw products are held at once, by each thread
_SHARES = 8  # of a thread, so that one that others keep from its core has less to do
_LEAST = 8192  # rows that are worth another thread
EXCLUDE_WEIGHT = np.float32(0.5)
_BLOCK = 256
_PIECE = 1 << 18  # places whose slack is computed together
_FEW_SCORES = (
    16_384  # scores that are compared with a threshold as soon as maxima of blocks are made
)


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


class Ranked(NamedTuple):
    """Places of matches, best first, with their scores."""

    places: NDArray[np.int64]
    final: Scores
    base: Scores  # without the excluded concepts


class Places:
    """Places are rows of the wanted ranges, end to end."""

    def __init__(self, ranges: Sequence[RowRange], snapshot: VectorSnapshot) -> None:
        self.ranges = ranges
        self._snapshot = snapshot
        self._starts = np.array([start for start, _ in ranges], dtype=np.int64)
        self._stops = np.array([stop for _, stop in ranges], dtype=np.int64)
        lengths = self._stops - self._starts
        self._at = np.cumsum(lengths) - lengths
        self.count = int(lengths.sum())

    def numbers(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of the merged array."""
        index: Any = 0
        if len(self._starts) != 1:  # as in few searches
            index = np.searchsorted(self._at, places, side="right") - 1
        rows: NDArray[np.int64] = self._starts[index] + places - self._at[index]
        return rows

    def rows(self, places: NDArray[np.int64]) -> NDArray[np.void]:
        return self._snapshot.rows[self.numbers(places)]

    def tie_order(self, places: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Hashes as numbers, by which equal scores are ordered on every machine alike."""
        index = np.searchsorted(self._snapshot.starts, self.numbers(places), side="right") - 1
        return self._snapshot.names[index]

    def allowed(self, only: FrameFilter) -> NDArray[np.bool_]:
        """[places] whether the filter has the frame."""
        mask = np.zeros(self.count, dtype=bool)
        rows = self._rows_of(only)
        index = np.searchsorted(self._starts, rows, side="right") - 1
        inside = (index >= 0) & (rows < self._stops[index])
        rows, index = rows[inside], index[inside]
        mask[self._at[index] + rows - self._starts[index]] = True
        return mask

    def _rows_of(self, only: FrameFilter) -> NDArray[np.int64]:
        """Rows of the filter's frames, as far as they are embedded."""
        hashes, counts = only.files()
        files = [self._snapshot.files.get(hash_str) for hash_str in hashes]
        starts = np.repeat([file.start if file else 0 for file in files], counts).astype(np.int64)
        lengths = np.repeat([file.rows if file else 0 for file in files], counts).astype(np.int64)
        some = lengths > 0
        stored = self._snapshot.rows["second"]
        return _find(stored, starts[some], lengths[some], only.seconds[some])

    def hits(self, ranked: Ranked) -> list[Hit]:
        """What is known of these matches, but for paths."""
        places, scores, base = ranked
        numbers = self.numbers(places)
        records = self._snapshot.rows[numbers]
        index = np.searchsorted(self._snapshot.starts, numbers, side="right") - 1
        files = [self._snapshot.by_start[n] for n in index.tolist()]
        scenes = records["scene_start"], records["scene_end"]
        columns = (records["second"], *scenes, numbers, scores, base)
        return [
            Hit(file.hash_str, second, number - file.start, Scene(start, end), score, alone, None)
            for file, second, start, end, number, score, alone in zip(
                files, *(column.tolist() for column in columns), strict=True
            )
        ]


def _find(
    stored: NDArray[np.uint32],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    seconds: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Rows with these seconds, each looked for in its own file; those not there are left out.

    A file's seconds ascend, so a second lies no further into it than it is after the first one,
    and exactly there in a file without gaps.
    """
    ahead = seconds - stored[starts]
    known = ahead >= 0
    low, wanted = starts[known], seconds[known]
    high = low + np.minimum(ahead[known], lengths[known] - 1)
    exact = stored[high] == wanted
    found = [high[exact]]
    low, high, wanted = low[~exact], high[~exact], wanted[~exact]
    while (low < high).any():
        middle = (low + high) // 2
        is_before = (stored[middle] < wanted) & (low < high)
        low, high = np.where(is_before, middle + 1, low), np.where(is_before, high, middle)
    found.append(low[stored[low] == wanted])
    return np.concatenate(found)


Rows = NDArray[np.int64]


class WrongBound(Exception):
    """An estimate is further from the score than its bound says: the codes fit other vectors."""


@dataclass(slots=True)
class Estimates:
    """Estimates of the final scores of all places, with the excluded concepts.

    `slack` gives, for places, by how much their estimates may be off at the most; `most_slack` is
    the greatest of all. Without `slack` the estimates are the scores, and `base` has the ones
    without the excluded concepts (the same array where there are none).
    """

    scores: Scores  # -inf: filtered out, or not found
    slack: Callable[[Rows], NDArray[np.float64]] | None = None
    most_slack: float = 0.0
    base: Scores | None = None
    _maxima: Scores | None = field(default=None, init=False)

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Filter out all others."""
        self.scores[~mask] = -np.inf
        self._maxima = None

    def top(self, count: int) -> Rows:
        """Places of at least the `count` best finite estimates: all that reach one threshold."""
        scores, threshold = self.scores, np.float32(-np.inf)
        if len(scores) <= count:
            return np.flatnonzero(np.isfinite(scores))
        # Of few blocks the maxima say nothing about the `count` best.
        if len(scores) > count * _BLOCK:
            threshold = _nth_best(self._block_maxima(), count)
        if threshold == -np.inf:  # nor where most blocks are filtered out
            threshold = _nth_best(scores, count)
        return self._at_least(threshold)

    def reaching(self, score: float) -> Rows:
        """Places whose score may be as high as this: all others are below it for certain."""
        if self.slack is None:
            return self._at_least(np.float32(score))
        # In float64: float32 might round the limit up.
        near = self._at_least(
            np.float32(np.nextafter(np.float32(score - self.most_slack), -np.inf))
        )
        parts = [near[at : at + _PIECE] for at in range(0, len(near), _PIECE)]
        reach = [part[self.scores[part] + self.slack(part) >= score] for part in parts]
        return np.concatenate([near[:0], *reach])

    def check(self, places: Rows, scores: Scores) -> None:
        """Raises WrongBound where an estimate is further from the score than it may be."""
        if self.slack is None or not len(places):
            return
        off = np.abs(self.scores[places].astype(np.float64) - scores)
        if not (off <= self.slack(places)).all():
            raise WrongBound

    def _at_least(self, threshold: np.float32) -> Rows:
        """Places with a finite estimate of this or more: only blocks that reach it are read."""
        scores, whole = self.scores, len(self.scores) // _BLOCK
        blocks = np.arange(whole)
        if len(scores) > _FEW_SCORES:
            blocks = np.flatnonzero(self._block_maxima()[:whole] >= threshold)
        if len(blocks) * 2 > whole:
            places = np.flatnonzero(scores >= threshold)
        else:
            rest = whole * _BLOCK
            near = np.flatnonzero(scores[:rest].reshape(-1, _BLOCK)[blocks] >= threshold)
            places = np.append(
                blocks[near // _BLOCK] * _BLOCK + near % _BLOCK,
                rest + np.flatnonzero(scores[rest:] >= threshold),
            )
        if threshold == -np.inf:
            places = places[np.isfinite(self.scores[places])]
        return places

    def _block_maxima(self) -> Scores:
        if self._maxima is None:
            whole = len(self.scores) // _BLOCK * _BLOCK
            maxima = self.scores[:whole].reshape(-1, _BLOCK).max(axis=1)
            if whole < len(self.scores):
                maxima = np.append(maxima, self.scores[whole:].max())
            self._maxima = maxima
        return self._maxima


def _nth_best(scores: Scores, count: int) -> np.float32:
    at = len(scores) - count
    return np.float32(np.partition(scores, at)[at])
