"""Codes of stored rows, of any width, and what finds candidates by them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from api.search.codes.basis import Basis, Question
from api.search.frames.estimates import Estimates, Rows
from api.search.frames.places import Places
from api.search.frames.scan import Piece, RowRange, Scores, batches, pieces, score, side_by_side
from api.search.types import QueryVectors

BOUND = np.dtype([("error", "<f4"), ("norm", "<f4")])
_TINY = np.float32(1e-30)
_LEAST = 8192  # rows whose products are held at once, by each thread
_HELD = 65_536  # products, where few vectors leave room: each chunk has a price of its own
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
