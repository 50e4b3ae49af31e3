"""Rows as bytes: centred, rotated, a scale each; and by how much a score from them may be off.

A row x of d values has y = (x - mean) @ rotation, scale s = max|y| / 127 and codes c = rint(y / s).
The rotation spreads what some dimensions hold over all of them, so that the codes are fine.

The bound. For a query q let p = q @ rotation (in float64) and p = t·r + e with bytes r. Then

    x·q = mean·q  +  (s·c)·(t·r)  +  (s·c)·e  +  (y - s·c)·p  +  what rotation and rounding add

The first two terms are the estimate. By Cauchy and Schwarz the third is at most |s·c| |e| and the
fourth at most |y - s·c| |p|; these lengths are kept of each row (`norm`, `error`) and known of e.
The rest, with u = 2**-24 for a rounding to float32, z = x - mean and any order of summation:
- the rotation is not quite orthogonal: (z - y @ rotation.T)·q is at most |I - R R'| |z| |q|, and
  |p| <= (1 + |I - R R'|) |q|. The Frobenius norm of I - R R' is measured with each rotation;
- y is computed in float32: each of its d values is off by at most (d + 2) u |z| |column of R|,
  so y by at most sqrt(d) (d + 2) u (1 + |I - R R'|) |z|. Both are in `error`, times 1.001 for the
  rounding of `error` and `norm` themselves;
- the estimate is computed in float32 from a sum of integers: at most (d + 8) u |s·c| |t·r| and 8 u
  of |mean| |q|; the score of the stored row is, too, from two halves of the query that miss it by
  2**-22 |q| + sqrt(d) 2**-25: at most (d + 8) u |x| |q| and that. As |x| <= |mean| + norm + error,
  |t·r| <= 2 |q| and 8 sqrt(d) <= d + 32, all of this is below
  4 (d + 32) u (|q| + 1/64) (|mean| + norm + error). Of a query that is a sum, these are the sums
  for its parts, as often as their weights say.
score = base - 0.5 max(0, max of the excluded) moves by at most the bound of base and half the
greatest of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numkong
import numpy as np
from numpy.typing import NDArray

from api.search.frames.estimates import Estimates, Rows
from api.search.frames.places import Places
from api.search.frames.scan import (
    EXCLUDE_WEIGHT,
    Piece,
    RowRange,
    Scores,
    batches,
    pieces,
    score,
    side_by_side,
)
from api.search.types import QueryVectors

BOUND = np.dtype([("error", "<f4"), ("norm", "<f4")])
_CHUNK = 8192  # rows whose products are held at once, by each thread
_U = 2.0**-24


class Basis:
    """The mean that rows are centred by and the rotation: [d] and [d, d], float32."""

    def __init__(self, mean: NDArray[np.float32], rotation: NDArray[np.float32]) -> None:
        self.mean, self.rotation = mean, rotation
        self.dim = d = len(mean)
        self._rotation = rotation.astype(np.float64)  # a query at a time: quick enough
        self._mean = mean.astype(np.float64)
        self.mean_norm = float(np.linalg.norm(self._mean))
        self.skew = float(np.linalg.norm(np.eye(d) - self._rotation @ self._rotation.T))
        self._lost = self.skew + np.sqrt(d) * (d + 2) * _U * (1 + self.skew)

    @classmethod
    def of(cls, vectors: NDArray[np.float16]) -> Basis:
        """The mean of some of these rows, and a rotation that is always the same."""
        some = vectors[:: max(1, len(vectors) // 20_000)].astype(np.float32)
        random = np.random.default_rng(7).standard_normal((vectors.shape[1],) * 2)
        return cls(some.mean(axis=0), np.linalg.qr(random)[0].astype(np.float32))

    def encode(
        self, vectors: NDArray[np.float16]
    ) -> tuple[NDArray[np.int8], Scores, NDArray[np.void]]:
        """(codes, scales, BOUND records) of these rows."""
        centred = vectors.astype(np.float32) - self.mean
        rotated = centred @ self.rotation
        scales = np.abs(rotated).max(axis=1) / np.float32(127)
        scales[scales == 0] = 1
        codes = np.rint(rotated / scales[:, None])
        bounds = np.empty(len(vectors), BOUND)
        rotated -= codes * scales[:, None]
        errors = np.linalg.norm(rotated, axis=1) + self._lost * np.linalg.norm(centred, axis=1)
        bounds["error"] = errors * 1.001
        bounds["norm"] = np.linalg.norm(codes, axis=1) * scales * 1.001
        return codes.astype(np.int8), scales, bounds

    def missed(
        self, vectors: NDArray[np.float16], codes: NDArray[np.int8], scales: Scores
    ) -> NDArray[np.float64]:
        """How far the rows that these codes stand for are from these vectors."""
        scaled = codes.astype(np.float64) * scales[:, None]
        far: NDArray[np.float64] = np.linalg.norm(
            vectors - self._mean - scaled @ self._rotation.T, axis=1
        )
        return far

    def question(self, query: QueryVectors) -> Question:
        """A query as bytes, with what bounds need to know of it."""
        weighted = [(query.picture, 1.0), (query.query, query.text_weight)]
        parts = [w * v.astype(np.float64) for v, w in weighted if v is not None]
        excluded = [] if query.exclude is None else list(query.exclude.astype(np.float64))
        vectors = np.array([sum(parts, np.zeros(self.dim)), *excluded])
        rotated = vectors @ self._rotation
        scales = np.abs(rotated).max(axis=1) / 127
        scales[scales == 0] = 1
        codes = np.rint(rotated / scales[:, None])
        missed = np.linalg.norm(rotated - codes * scales[:, None], axis=1)
        lengths = np.linalg.norm(vectors, axis=1)
        half = float(EXCLUDE_WEIGHT)
        subtracted = half * float(lengths[1:].max(initial=0))
        sizes = sum(float(np.linalg.norm(part)) for part in parts) + subtracted
        weights = 1 + abs(query.text_weight) + half
        return Question(
            codes.astype(np.int8),
            scales.astype(np.float32),
            (vectors @ self._mean).astype(np.float32),
            by_error=(float(lengths[0]) + subtracted) * (1 + self.skew),
            by_norm=float(missed[0] + half * missed[1:].max(initial=0)),
            by_size=4 * (self.dim + 32) * _U * (sizes + weights / 64),
        )


@dataclass(frozen=True, slots=True)
class Question:
    """Vectors of one query as bytes: what is looked for, then the excluded concepts."""

    codes: NDArray[np.int8]  # [1 + excluded, d]
    scales: Scores
    shifts: Scores  # mean·q
    by_error: float  # by what a row's `error` and `norm` count in the bound of its score,
    by_norm: float
    by_size: float  # and |mean| + norm + error

    def combine(self, products: Scores, out: Scores) -> None:
        """Estimates of final scores out of products with `codes`, [1 + excluded, rows]."""
        np.multiply(products[0], self.scales[0], out=out)
        out += self.shifts[0]
        if len(products) > 1:
            worst = np.zeros_like(out)
            for product, scale, shift in zip(
                products[1:], self.scales[1:], self.shifts[1:], strict=True
            ):
                np.maximum(worst, product * scale + shift, out=worst)
            worst *= EXCLUDE_WEIGHT
            out -= worst


@dataclass(frozen=True, slots=True, eq=False)
class Int8Codes:
    """Codes of the first `count` rows of the merged array. Arrays may be mapped, and longer."""

    basis: Basis
    count: int
    codes: NDArray[np.int8]
    scales: Scores
    bounds: NDArray[np.void]
    worst: tuple[float, float]  # the greatest error and norm of a row

    def hold(self, vectors: NDArray[np.float16], rows: Rows) -> bool:
        """Whether the bounds of these rows hold for these vectors."""
        missed = self.basis.missed(vectors[rows], self.codes[rows], self.scales[rows])
        return bool((missed <= self.bounds["error"][rows] * (1 + self.basis.skew)).all())

    def slack(self, question: Question, rows: Rows) -> NDArray[np.float64]:
        """By how much the estimates for these rows may be off; of others only by rounding."""
        rounding = question.by_size * (self.basis.mean_norm + sum(self.worst))
        slack = np.full(len(rows), rounding)
        coded = rows < self.count
        bounds = self.bounds[rows[coded]]
        slack[coded] = self._bound(
            question, bounds["error"].astype(np.float64), bounds["norm"].astype(np.float64)
        )
        return slack

    def most_slack(self, question: Question) -> float:
        return float(self._bound(question, *map(np.float64, self.worst)))

    def _bound(self, question: Question, error: Any, norm: Any) -> Any:
        size = self.basis.mean_norm + norm + error
        return question.by_error * error + question.by_norm * norm + question.by_size * size

    def products(
        self, questions: Sequence[Question], work: Piece, scales: Scores, outs: Sequence[Scores]
    ) -> None:
        """Estimates of rows for each question, in chunks; one pass over the codes for all."""
        columns = np.concatenate([question.codes for question in questions])
        packed = numkong.dots_pack(columns) if len(columns) > 1 else None
        raw: Any = numkong.empty((_CHUNK, len(columns)), dtype="int32")
        sums: NDArray[np.int32] = np.asarray(raw)
        floats = np.empty((len(columns), _CHUNK), np.float32)
        for batch in batches(work, _CHUNK):
            filled = 0
            for (start, stop), _ in batch:
                end = filled + stop - start
                if packed is None:
                    numkong.cdist(columns, self.codes[start:stop], "dot", out=floats[:, filled:end])
                else:
                    numkong.dots_packed(self.codes[start:stop], packed, out=raw[filled:end])
                filled = end
            at = batch[0][1]
            to = slice(at, at + filled)
            if packed is not None:
                floats[:, :filled] = sums[:filled].T
            floats[:, :filled] *= scales[to]
            first = 0
            for question, out in zip(questions, outs, strict=True):
                last = first + len(question.codes)
                question.combine(floats[first:last, :filled], out[to])
                first = last


class Int8Finder:
    """Estimates from codes; rows that have none yet are scored by what is stored of them."""

    def __init__(
        self, codes: Int8Codes, vectors: NDArray[np.float16], pool: Executor, threads: int
    ) -> None:
        self._codes = codes
        self._vectors = vectors
        self._pool = pool
        self._threads = threads

    def estimate(self, queries: Sequence[QueryVectors], places: Places) -> list[Estimates]:
        """Estimates for each query, in one pass over the codes for all of them."""
        codes = self._codes
        questions = [codes.basis.question(query) for query in queries]
        finals = [np.empty(places.count, np.float32) for _ in queries]
        coded, rest = _split(places.ranges, codes.count)
        total = sum(stop - start for start, stop in coded)
        if coded:
            parts = [codes.scales[start:stop] for start, stop in coded]
            scales = parts[0] if len(parts) == 1 else np.concatenate(parts)
            side_by_side(
                lambda piece: codes.products(questions, piece, scales, finals),
                pieces(coded, total, self._threads, _CHUNK),
                self._pool,
                self._threads,
            )
        for query, final in zip(queries, finals, strict=True):
            if rest:
                final[total:] = score(self._vectors, rest, query, self._pool, self._threads)[1]
        return [
            self._estimates(question, final, places)
            for question, final in zip(questions, finals, strict=True)
        ]

    def _estimates(self, question: Question, final: Scores, places: Places) -> Estimates:
        def slack(these: Rows) -> NDArray[np.float64]:
            return self._codes.slack(question, places.numbers(these))

        return Estimates(final, slack, self._codes.most_slack(question))


def _split(ranges: Sequence[RowRange], row: int) -> tuple[list[RowRange], list[RowRange]]:
    """The parts of ascending ranges before a row and from it on."""
    before = [(start, min(stop, row)) for start, stop in ranges if start < row]
    after = [(max(start, row), stop) for start, stop in ranges if stop > row]
    return before, after
