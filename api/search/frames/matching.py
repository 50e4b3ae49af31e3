"""A search of one snapshot: candidates by whatever finds them quickly, decided by stored rows."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from api.people.frame_filter import FrameFilter
from api.search.codes.codes import CodeFinder, Codes
from api.search.codes.store import CodeStore
from api.search.frames.estimates import Estimates, Rows, WrongBound
from api.search.frames.float16_scan import Float16Scan
from api.search.frames.log import VectorSnapshot
from api.search.frames.places import Places, Ranked
from api.search.frames.ranking import rank
from api.search.frames.scan import RowRange, Scores, score_rows
from api.search.frames.shared_pass import SharedPass
from api.search.types import Hit, QueryVectors

_FEW = 8192  # rows that are scored one by one, wherever they lie, or scanned without codes
# Beyond these a pass over all stored rows is as quick (8,000 matches: 120 ms against 262).
_MOST_BY_CODES = 2000  # matches
_MOST_EXCLUDED = 8
_GATHERED = 65_536  # rows that are copied to be scored together
_QUICK = 500  # matches that are ranked in some milliseconds


@dataclass(frozen=True, slots=True)
class Matching:
    """Finds matches in snapshots of one vector log."""

    store: CodeStore
    pool: Executor
    threads: int
    _shared: SharedPass = field(default_factory=SharedPass)
    # Many that rank at once would hand the interpreter to and fro at each step.
    _ranking: threading.Lock = field(default_factory=threading.Lock)

    def hits(
        self,
        snapshot: VectorSnapshot,
        query: QueryVectors,
        ranges: list[RowRange],
        max_results: int,
        only: FrameFilter | None,
        least: float | None = None,
    ) -> list[Hit]:
        """Matches in these rows, best first, without their paths.

        `least`: only those that have it without the excluded concepts. No frame hides a better one.
        """
        places = Places(ranges, snapshot)
        mask = None if only is None else places.allowed(only)
        stored = StoredPlaces(places, snapshot, query)
        is_for_codes = places.count > _FEW and max_results <= _MOST_BY_CODES
        is_for_codes &= least is None  # codes do not tell it
        is_for_codes &= query.exclude is None or len(query.exclude) <= _MOST_EXCLUDED
        codes = self.store.current(snapshot) if is_for_codes else None
        found = estimates = None
        if mask is not None and (count := int(np.count_nonzero(mask))) <= _FEW:
            estimates = _of_few(np.flatnonzero(mask) if count else _NONE, stored, places.count)
        elif codes is not None:
            found = self._by_codes(codes, snapshot, stored, mask, max_results)
        if found is None:
            if estimates is None:
                scan = Float16Scan(snapshot.vectors, self.pool, self.threads)
                estimates = scan.estimate([query], places)[0]
                if mask is not None:
                    estimates.keep(mask)
            if least is not None and estimates.base is not None:
                estimates.keep(estimates.base >= least)
            found = rank(estimates, stored, max_results, excluding=stored.excluding)
        assert found is not None, "exact scores never leave too many candidates"
        return places.hits(found)

    def _by_codes(
        self,
        codes: Codes,
        snapshot: VectorSnapshot,
        stored: StoredPlaces,
        mask: NDArray[np.bool_] | None,
        max_results: int,
    ) -> Ranked | None:
        """The matches, None where codes cannot tell."""
        finder = CodeFinder(codes, snapshot.vectors, self.pool, self.threads)
        places = stored.places

        def many(queries: Sequence[QueryVectors]) -> list[Estimates]:
            return finder.estimate(queries, places)

        if places.ranges is snapshot.everything:
            rows = (codes, snapshot)
            estimates = self._shared.estimate(stored.query, rows, places.count, many)
        else:
            (estimates,) = many([stored.query])
        if mask is not None:
            estimates.keep(mask)
        try:
            is_quick = max_results <= _QUICK and codes.bits == 8  # few candidates, too
            with self._ranking if is_quick else contextlib.nullcontext():
                return rank(estimates, stored, max_results, excluding=stored.excluding)
        except WrongBound:
            self.store.discard(snapshot)
            return None


_NONE = np.empty(0, np.int64)


class StoredPlaces:
    """What is stored of places, for the ranking."""

    def __init__(self, places: Places, snapshot: VectorSnapshot, query: QueryVectors) -> None:
        self.places, self.query = places, query
        self.excluding = query.exclude is not None and len(query.exclude) > 0
        self.rows, self.tie_order = places.rows, places.tie_order
        self.numbers = places.numbers
        self._vectors = snapshot.some

    def scores(self, places: Rows) -> tuple[Scores, Scores]:
        rows = self.places.numbers(places)
        parts = [
            score_rows(self._vectors, rows[at : at + _GATHERED], self.query)
            for at in range(0, max(1, len(rows)), _GATHERED)
        ]
        base, final = zip(*parts, strict=True)
        return np.concatenate(base), np.concatenate(final)


def _of_few(allowed: Rows, stored: StoredPlaces, count: int) -> Estimates:
    """Exact scores of these places; all others are filtered out."""
    base, final = stored.scores(allowed)
    of_all = Estimates(np.full(count, -np.inf, np.float32))
    of_all.scores[allowed] = final
    of_all.base = of_all.scores
    if stored.excluding:
        of_all.base = np.full(count, -np.inf, np.float32)
        of_all.base[allowed] = base
    return of_all
