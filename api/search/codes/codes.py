"""Codes of stored rows, of any width, and what finds candidates by them.

Rows are centred and rotated, queries rotated and as bytes.

A row x of d values has z = x - mean and y = z @ rotation; its codes c with a factor f stand for
f·c, near y. The rotation spreads what some dimensions hold over all of them, so that codes are
fine. It is drawn anew for each set of codes and kept with them, private.

The bound. For a query q let p = q @ rotation (in float64) and p = t·r + e with bytes r. Then

    x·q = mean·q  +  (f·c)·(t·r)  +  (f·c)·e  +  (y - f·c)·p  +  what rotation and rounding add

The first two terms are the estimate. By Cauchy and Schwarz the third is at most |f·c| |e|. What the
fourth is at most, codes say: `spread` |y - f·c| |p|, where `spread` is 1 by Cauchy and Schwarz.
The lengths are kept of each row (`norm`, `error`) and known of e. The rest, with u = 2**-24 for a
rounding to float32 and any order of summation:
- the rotation is not quite orthogonal: (z - y @ rotation.T)·q is at most |I - R R'| |z| |q|, and
  |p| <= (1 + |I - R R'|) |q|. The Frobenius norm of I - R R' is measured with each rotation;
- y is computed in float32: each of its d values is off by at most (d + 2) u |z| |column of R|,
  so y by at most sqrt(d) (d + 2) u (1 + |I - R R'|) |z|. With the former this is `lost` |z| |q|,
  and |z| is at most 1.01 (norm + error). `error` and `norm` are stored times 1.001 for their own
  rounding;
- the estimate is computed in float32 from a sum of integers: at most (d + 8) u |f·c| |t·r| and 8 u
  of |mean| |q|; the score of the stored row is, too, from two halves of the query that miss it by
  2**-22 |q| + sqrt(d) 2**-25: at most (d + 8) u |x| |q| and that. As |x| <= |mean| + norm + error,
  |t·r| <= 2 |q| and 8 sqrt(d) <= d + 32, all of this is below
  4 (d + 32) u (|q| + 1/64) (|mean| + norm + error). Of a query that is a sum, these are the sums
  for its parts, as often as their weights say.
score = base - 0.5 max(0, max of the excluded) moves by at most the bound of base and half the
greatest of the others.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numkong
import numpy as np
from numpy.typing import NDArray

from api.search.frames.estimates import (
    EXCLUDE_WEIGHT,
    Estimates,
    Piece,
    Places,
    Rows,
    batches,
    pieces,
    score,
    side_by_side,
)
from api.search.types import QueryVectors, RowRange, Scores

_U = 2.0**-24
BOUND = np.dtype([("error", "<f4"), ("norm", "<f4")])
_TINY = np.float32(1e-30)
_LEAST = 8192  # rows whose products are held at once, by each thread
_HELD = 65_536  # products, where few vectors leave room: each chunk has a price of its own
_STEP = np.float32(0.335)
_ZERO = np.float32(7.5)  # what u stands for nought


class Basis:
    """The mean that rows are centred by and the rotation: [d] and [d, d], float32."""

    def __init__(self, mean: NDArray[np.float32], rotation: NDArray[np.float32]) -> None:
        self.mean, self.rotation = mean, rotation
        self.dim = d = len(mean)
        self._rotation = rotation.astype(np.float64)  # a query at a time: quick enough
        self._mean = mean.astype(np.float64)
        self.mean_norm = float(np.linalg.norm(self._mean))
        self.skew = float(np.linalg.norm(np.eye(d) - self._rotation @ self._rotation.T))
        self.lost = self.skew + np.sqrt(d) * (d + 2) * _U * (1 + self.skew)

    @classmethod
    def of(cls, vectors: NDArray[np.float16]) -> Basis:
        """The mean of some of these rows, and a rotation of which nobody could know before."""
        some = vectors[:: max(1, len(vectors) // 20_000)].astype(np.float32)
        random = np.random.default_rng().standard_normal((vectors.shape[1],) * 2)
        rotation, upper = np.linalg.qr(random)
        # Without these signs not every rotation is as likely (Mezzadri, 2007, section 5).
        rotation = rotation * np.sign(np.diagonal(upper))
        return cls(some.mean(axis=0), rotation.astype(np.float32))

    def rotated(self, vectors: NDArray[np.float16]) -> NDArray[np.float32]:
        """Rows, centred and rotated."""
        centred = vectors.astype(np.float32) - self.mean
        return np.asarray(centred @ self.rotation, np.float32)

    def distances(
        self, vectors: NDArray[np.float16], rotated: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """How far vectors are from those that rows, centred and rotated, stand for."""
        far: NDArray[np.float64] = np.linalg.norm(
            vectors - self._mean - rotated @ self._rotation.T, axis=1
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
        by_error = (float(lengths[0]) + subtracted) * (1 + self.skew)
        rounding = 4 * (self.dim + 32) * _U * (sizes + weights / 64)
        return Question(
            codes.astype(np.int8),
            scales.astype(np.float32),
            (vectors @ self._mean).astype(np.float32),
            by_error=by_error,
            by_norm=float(missed[0] + half * missed[1:].max(initial=0)),
            by_size=rounding + 1.01 * self.lost * by_error,
        )


@dataclass(frozen=True, slots=True)
class Question:
    """Vectors of one query as bytes: what is looked for, then the excluded concepts."""

    codes: NDArray[np.int8]  # [1 + excluded, d]
    scales: Scores
    shifts: Scores  # mean·q
    by_error: float  # by what a row's `spread * error` and `norm` count in its score's bound,
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


# Fills products with questions' codes, [vectors, rows], for some rows.
Kernel = Callable[[Sequence[RowRange], Scores], None]


class Columns(NamedTuple):
    """What is kept of rows. Arrays may be mapped."""

    codes: NDArray[Any]  # [rows, bytes of a row]
    factors: Scores
    bounds: NDArray[np.void]  # of the type BOUND

    def after(self, row: int) -> Columns:
        """What is kept of this row and all after it."""
        return Columns(self.codes[row:], self.factors[row:], self.bounds[row:])

    @classmethod
    def of(cls, codes: NDArray[Any], factors: Scores, error: Scores, norm: Scores) -> Columns:
        bounds = np.empty(len(codes), BOUND)
        # None is 0, so that an empty page of a file is known.
        bounds["error"] = np.maximum(error * 1.001, _TINY)
        bounds["norm"] = np.maximum(norm * 1.001, _TINY)
        return cls(codes, factors.astype(np.float32), bounds)


@dataclass(frozen=True, slots=True, eq=False)
class Codes(ABC):
    """Codes of the first `count` rows of the merged array."""

    basis: Basis
    count: int
    columns: Columns
    worst: tuple[float, float]  # the greatest error and norm of a row

    bits: ClassVar[int]
    dtype: ClassVar[type[np.generic]]

    @classmethod
    def of(cls, basis: Basis, vectors: NDArray[np.float16]) -> Self:
        """Codes of all these rows."""
        columns = cls.encode(basis, vectors)
        return cls(basis, len(vectors), columns, worst_of(columns))

    @classmethod
    def width(cls, dim: int) -> int:
        """Bytes of a row's codes."""
        return -(-dim * cls.bits // 8)

    @staticmethod
    @abstractmethod
    def encode(basis: Basis, vectors: NDArray[np.float16]) -> Columns:
        """What is to be kept of these rows."""

    @abstractmethod
    def decoded(self, rows: Rows) -> NDArray[np.float64]:
        """Rows that codes stand for, centred and rotated."""

    @abstractmethod
    def kernel(self, vectors: NDArray[np.int8], chunk: int) -> Kernel:
        """Multiplies codes of `chunk` rows at most with vectors, [vectors, d]; in one thread."""

    @property
    def size(self) -> int:
        """Bytes that a pass reads."""
        return self.columns.codes.nbytes + self.columns.factors.nbytes

    @property
    def spread(self) -> float:
        """How much of a row's error may be along a query at the most."""
        return 1.0

    def hold(self, vectors: NDArray[np.float16], rows: Rows) -> bool:
        """Whether the codes of these rows stand for these vectors."""
        far = self.basis.distances(vectors[rows], self.decoded(rows))
        error, norm = (self.columns.bounds[name][rows] for name in ("error", "norm"))
        most = error * (1 + self.basis.skew) + 1.01 * self.basis.lost * (norm + error)
        return bool((far <= most).all())

    def slack(self, question: Question, rows: Rows) -> NDArray[np.float64]:
        """By how much the estimates for these rows may be off; of others only by rounding."""
        rounding = question.by_size * (self.basis.mean_norm + sum(self.worst))
        slack = np.full(len(rows), rounding)
        coded = rows < self.count
        bounds = self.columns.bounds[rows[coded]]
        slack[coded] = self._bound(
            question, bounds["error"].astype(np.float64), bounds["norm"].astype(np.float64)
        )
        return slack

    def most_slack(self, question: Question) -> float:
        return float(self._bound(question, *map(np.float64, self.worst)))

    def _bound(self, question: Question, error: Any, norm: Any) -> Any:
        size = self.basis.mean_norm + norm + error
        along = self.spread * error
        return question.by_error * along + question.by_norm * norm + question.by_size * size

    def estimate(self, questions: Sequence[Question], work: Piece, outs: Sequence[Scores]) -> None:
        """Estimates of rows for each question, in chunks; one pass over the codes for all."""
        vectors = np.concatenate([question.codes for question in questions])
        chunk = chunk_of(questions)
        fill = self.kernel(vectors, chunk)
        products = np.empty((len(vectors), chunk), np.float32)
        factors = np.empty(chunk, np.float32)
        for batch in batches(work, chunk):
            ranges = [rows for rows, _ in batch]
            filled = sum(stop - start for start, stop in ranges)
            fill(ranges, products[:, :filled])
            np.concatenate([self.columns.factors[a:b] for a, b in ranges], out=factors[:filled])
            products[:, :filled] *= factors[:filled]
            to = slice(batch[0][1], batch[0][1] + filled)
            first = 0
            for question, out in zip(questions, outs, strict=True):
                last = first + len(question.codes)
                question.combine(products[first:last, :filled], out[to])
                first = last


def chunk_of(questions: Sequence[Question]) -> int:
    """Rows whose products with these questions are held at once, by each thread."""
    return max(_LEAST, _HELD // sum(len(question.codes) for question in questions))


def are_sound(columns: Columns, worst: tuple[float, float]) -> bool:
    """Whether factors and bounds are such as are written: no page of them is empty or damaged."""
    return bool((columns.factors > 0).all()) and all(
        bool(((columns.bounds[name] > 0) & (columns.bounds[name] <= most)).all())
        for name, most in zip(("error", "norm"), worst, strict=True)
    )


def worst_of(columns: Columns) -> tuple[float, float]:
    """The greatest error and norm."""
    bounds = columns.bounds
    return float(bounds["error"].max(initial=0)), float(bounds["norm"].max(initial=0))


class CodeFinder:
    """Estimates from codes; rows that have none yet are scored by what is stored of them."""

    def __init__(
        self, codes: Codes, vectors: NDArray[np.float16], pool: Executor, threads: int
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
            side_by_side(
                lambda piece: codes.estimate(questions, piece, finals),
                pieces(coded, total, self._threads, chunk_of(questions)),
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


class FourBitCodes(Codes):
    """Codes of rows that would take too much memory as bytes. Dimensions are even.

    Four bits for each value, two to a byte: half of what bytes take, for the largest folders.

    c = u - 7.5 with u = 0 to 15, in steps of 0.335 of the row's root mean square: the best even
    steps for a normal distribution (Max, 1960), which the rotation makes of any row. The factor f =
    |y|**2 / c·y (Gao and Long, RaBitQ, 2024) makes r = f·c - y orthogonal to y.

    The bound of r·p, for a query that is no worse than any other. The rotation was drawn at random,
    unknown to whoever chose x and q, and of all rotations that take z to y each is as likely. So
    what of p is orthogonal to y points anywhere in d - 1 dimensions, whatever y, and with it r, may
    be: r·p = |r| |p orthogonal to y| v, where v is a coordinate of a random point on the sphere. A
    cap of height h of the sphere in n dimensions is at most exp(-n h**2 / 2) of it (Ball, An
    Elementary Introduction to Modern Convex Geometry, 1997, lemma 2.2). With h = sqrt(2 ln(2**64) /
    (d - 1)) the bound fails for a row and a vector with a probability of 2**-64 each way: among 36
    million rows and nine vectors, once in 30 thousand million searches. Of rows that are looked at
    it is checked anyway. In few dimensions h is 1 and the bound that of Cauchy and Schwarz. f is
    computed in float64; what float32 adds to it, to r and y is rounding, and in the bound as such.
    """

    __slots__ = ()
    bits, dtype = 4, np.uint8

    @staticmethod
    def encode(basis: Basis, vectors: NDArray[np.float16]) -> Columns:
        rotated = basis.rotated(vectors)
        squares = np.einsum("ij,ij->i", rotated, rotated, dtype=np.float64)
        steps = _STEP * np.sqrt(squares / basis.dim).astype(np.float32)
        steps[steps == 0] = 1
        codes = np.clip(np.floor(rotated / steps[:, None]), -8, 7) + np.float32(0.5)
        along = np.einsum("ij,ij->i", codes, rotated, dtype=np.float64)
        # A row that is the mean: as good as nought.
        factors = np.divide(squares, along, out=np.full_like(along, 1e-35), where=along > 0).astype(
            np.float32
        )
        error = np.linalg.norm(codes * factors[:, None] - rotated, axis=1)
        norm = np.linalg.norm(codes, axis=1) * factors
        return Columns.of(_packed((codes + _ZERO).astype(np.uint8)), factors, error, norm)

    def decoded(self, rows: Rows) -> NDArray[np.float64]:
        pairs = self.columns.codes[rows]
        codes = np.stack([pairs & 15, pairs >> 4], axis=2).reshape(len(rows), -1) - float(_ZERO)
        return codes * self.columns.factors[rows, None]

    @property
    def spread(self) -> float:
        return min(1.0, math.sqrt(2 * 64 * math.log(2) / (self.basis.dim - 1)))

    def kernel(self, vectors: NDArray[np.int8], chunk: int) -> Kernel:
        """u·r out of products of unsigned halves: r + 128 is 16 high + low, and u·128 a sum."""
        bytes_ = (vectors.astype(np.int16) + 128).astype(np.uint8)
        ones = np.ones((1, vectors.shape[1]), np.uint8)
        columns = _packed(np.concatenate([bytes_ >> 4, bytes_ & 15, ones]))
        packed = numkong.dots_pack(columns, dtype="uint4")
        each = np.eye(len(vectors), dtype=np.float32)
        weights = np.concatenate([16 * each, each, np.full_like(each[:1], -128)])
        zeros = _ZERO * vectors.sum(axis=1, dtype=np.float32)[:, None]
        raw: Any = numkong.empty((chunk, len(columns)), dtype="uint32")
        sums: NDArray[np.uint32] = np.asarray(raw)

        def fill(ranges: Sequence[RowRange], products: Scores) -> None:
            filled = 0
            for start, stop in ranges:
                end = filled + stop - start
                numkong.dots_packed(self.columns.codes[start:stop], packed, out=raw[filled:end])
                filled = end
            # Sums of whole numbers below 2**24 (up to 2,900 dimensions): exact in float32.
            np.matmul(sums[:filled].astype(np.float32), weights, out=products.T)
            products -= zeros

        return fill


def _packed(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Two values of four bits to a byte."""
    return np.asarray(values[:, ::2] | values[:, 1::2] << 4, np.uint8)


class EightBitCodes(Codes):
    """Codes that stand beside rows that fit into memory with ease.

    c = rint(y / f) with f = max|y| / 127. The bound holds for certain.
    """

    __slots__ = ()
    bits, dtype = 8, np.int8

    @staticmethod
    def encode(basis: Basis, vectors: NDArray[np.float16]) -> Columns:
        rotated = basis.rotated(vectors)
        factors = np.abs(rotated).max(axis=1) / np.float32(127)
        factors[factors == 0] = 1
        codes = np.rint(rotated / factors[:, None])
        rotated -= codes * factors[:, None]
        norm = np.linalg.norm(codes, axis=1) * factors
        return Columns.of(codes.astype(np.int8), factors, np.linalg.norm(rotated, axis=1), norm)

    def decoded(self, rows: Rows) -> NDArray[np.float64]:
        codes, factors, _ = self.columns
        return codes[rows].astype(np.float64) * factors[rows, None]

    def kernel(self, vectors: NDArray[np.int8], chunk: int) -> Kernel:
        return self._of_one(vectors) if len(vectors) == 1 else self._of_many(vectors, chunk)

    def _of_one(self, vectors: NDArray[np.int8]) -> Kernel:
        def fill(ranges: Sequence[RowRange], products: Scores) -> None:
            filled = 0
            for start, stop in ranges:
                end = filled + stop - start
                # Into any other type it is many times slower.
                numkong.cdist(
                    vectors, self.columns.codes[start:stop], "dot", out=products[:, filled:end]
                )
                filled = end

        return fill

    def _of_many(self, vectors: NDArray[np.int8], chunk: int) -> Kernel:
        packed = numkong.dots_pack(vectors)
        raw: Any = numkong.empty((chunk, len(vectors)), dtype="int32")
        sums: NDArray[np.int32] = np.asarray(raw)

        def fill(ranges: Sequence[RowRange], products: Scores) -> None:
            filled = 0
            for start, stop in ranges:
                end = filled + stop - start
                numkong.dots_packed(self.columns.codes[start:stop], packed, out=raw[filled:end])
                filled = end
            products[:] = sums[:filled].T

        return fill
