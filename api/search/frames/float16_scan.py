"""Finds candidates by the scores of all stored rows: exact, and as slow as memory is."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from api.search.frames.estimates import Estimates
from api.search.frames.places import Places
from api.search.frames.scan import score
from api.search.types import QueryVectors

_SHORT = 32  # rows of a range that are copied beside others sooner than scored on their own
_MOST_COPIED = 65_536


class Float16Scan:
    """The finder that needs nothing but the rows, and that all others are compared with."""

    def __init__(self, vectors: NDArray[np.float16], pool: Executor, threads: int) -> None:
        self._vectors = vectors
        self._pool = pool
        self._threads = threads

    def estimate(self, queries: Sequence[QueryVectors], places: Places) -> list[Estimates]:
        """Scores for each query, in a pass over the rows for each."""
        vectors, ranges = self._vectors, places.ranges
        if places.count < min(_SHORT * len(ranges), _MOST_COPIED):
            vectors = vectors.take(places.numbers(np.arange(places.count)), axis=0)
            ranges = [(0, places.count)]
        found = []
        for query in queries:
            base, final = score(vectors, ranges, query, self._pool, self._threads)
            found.append(Estimates(final, base=base))
        return found
