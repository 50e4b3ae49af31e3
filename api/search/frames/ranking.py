"""A search of one snapshot: candidates by whatever finds them quickly, decided by stored rows.

Matches are the best frame of a scene, and further ones 10 s apart, best first. Frames are chosen by
the score without the excluded concepts and ordered by the score with them. So `exclude` moves
matches and never changes which there are.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from api.search.codes.codes import CodeFinder, Codes
from api.search.codes.store import CodeStore
from api.search.frames.estimates import (
    Estimates,
    Places,
    Ranked,
    Rows,
    WrongBound,
    score,
    score_rows,
)
from api.search.frames.log import VectorSnapshot
from api.search.types import FrameSearch, Hit, QueryVectors, RowRange, Scores

APART_S = 10  # a further frame of a scene is at least this far from every better one
_ROUNDS = 3  # in which matches of all scenes are chosen together; long scenes have more
# Beyond so many candidates, and this share of all, a pass over the stored rows is the quicker way.
_MANY_CANDIDATES = 32_768
_MOST_OF_ALL = 1 / 16
_SHORT = 32  # rows of a range that are copied beside others sooner than scored on their own
_MOST_COPIED = 65_536
_VECTORS = 64  # of a pass, excluded concepts among them
_BYTES = 128 << 20  # of the estimates of a pass
_FEW = 8192  # rows that are scored one by one, wherever they lie, or scanned without codes
# Beyond these a pass over all stored rows is as quick (8,000 matches: 120 ms against 262).
_MOST_BY_CODES = 2000  # matches
_MOST_EXCLUDED = 8
_GATHERED = 65_536  # rows that are copied to be scored together
_QUICK = 500  # matches that are ranked in some milliseconds
_NONE = np.empty(0, np.int64)


def rank(
    estimates: Estimates, stored: StoredPlaces, max_results: int, *, excluding: bool
) -> Ranked | None:
    """The matches, best first.

    None where the estimates leave too many candidates, as they do among near-duplicates. Exact
    estimates never do.

    Why the answer is that of a pass over all rows: let T be the final score of the last of
    `max_results` matches among the candidates. When every place that may reach T is a candidate,
    all others are below T. Without excluded concepts a frame can only lose its place to one that
    is at least as good, and those are all there: each candidate of T or more is chosen as it would
    be among all rows, and there are `max_results` of them. With excluded concepts frames are
    chosen by another score than T is of, but only against frames of their scene; so whole scenes
    are candidates, and the choice in each is the one among all rows.
    """
    candidates = _Candidates(estimates, stored, whole_scenes=excluding)
    wanted = max(128, 4 * max_results)
    missing = estimates.top(wanted)
    while candidates.add(missing):
        best = candidates.matches(max_results)
        if len(best) == max_results:
            scores = candidates.final[best]
            missing = candidates.without(estimates.reaching(float(scores[-1])))
            if not len(missing):
                return candidates.ranked(best)
        elif wanted >= len(estimates.scores):
            return candidates.ranked(best)
        else:
            wanted *= 4
            missing = candidates.without(estimates.top(wanted))
    return None


class _Candidates:
    """Places that were looked at in the stored rows, ascending, and what was found there."""

    def __init__(self, estimates: Estimates, stored: StoredPlaces, *, whole_scenes: bool) -> None:
        self._estimates = estimates
        self._stored = stored
        self._whole_scenes = whole_scenes
        self._most = max(_MANY_CANDIDATES, len(estimates.scores) * _MOST_OF_ALL)
        self.places = np.empty(0, np.int64)
        self.final = np.empty(0, np.float32)
        self._base = self.final

    def without(self, places: Rows) -> Rows:
        """Places that are no candidates yet."""
        if not len(self.places):
            return places
        at = np.searchsorted(self.places, places)
        new: Rows = places[self.places.take(at, mode="clip") != places]
        return new

    def add(self, places: Rows) -> bool:
        """Make new places candidates, and what they must be compared with; False: too many."""
        estimates = self._estimates
        if self._whole_scenes and not self._are_too_many(places):
            places = self.without(self._scenes_of(places))
        if estimates.base is not None:
            base, final = estimates.base[places], estimates.scores[places]
        elif self._are_too_many(places):
            return False
        else:
            base, final = self._stored.scores(places)
            estimates.check(places, final)
        all_places = np.concatenate([self.places, places])
        order = np.argsort(all_places)
        self.places = all_places[order]
        self._base = np.concatenate([self._base, base])[order]
        self.final = np.concatenate([self.final, final])[order]
        return True

    def _are_too_many(self, places: Rows) -> bool:
        return self._estimates.base is None and len(self.places) + len(places) > self._most

    def ranked(self, best: Rows) -> Ranked:
        return Ranked(self.places[best], self.final[best], self._base[best])

    def matches(self, most: int) -> Rows:
        """Indices of the matches among the candidates, best first."""
        ties = self._stored.tie_order(self.places)
        order = np.lexsort((self.places, ties, -self._base))
        enough = len(order) if self._whole_scenes else most
        places = self.places[order]
        numbers, records = self._stored.numbers(places), self._stored.rows(places)
        chosen: Rows = order[_spread(numbers, records, enough)]
        if not self._whole_scenes:  # the order of choosing is the order of the matches
            return chosen
        again = np.lexsort((self.places[chosen], ties[chosen], -self.final[chosen]))
        best: Rows = chosen[again][:most]
        return best

    def _scenes_of(self, places: Rows) -> Rows:
        """All places of their scenes that are not filtered out, ascending."""
        firsts = np.unique(places - self._stored.rows(places)["back"])
        lengths = self._stored.rows(firsts)["ahead"].astype(np.int64)
        ends = np.cumsum(lengths)
        total = int(ends[-1]) if len(ends) else 0
        whole = np.arange(total) + np.repeat(firsts - (ends - lengths), lengths)
        shown: Rows = whole[np.isfinite(self._estimates.scores[whole])]
        return shown


def _spread(numbers: Rows, rows: NDArray[np.void], enough: int) -> Rows:
    """Indices into `numbers` (best first) of those that no better match of their scene is near.

    Ascending; stops when there are `enough`.
    """
    # Rows of a scene are neighbours in the merged array, so where its first row lies names it.
    scenes = numbers - rows["back"]
    seconds = rows["second"].astype(np.int64)
    if enough < len(numbers):
        return np.array(_one_by_one(scenes.tolist(), seconds.tolist(), enough), dtype=np.int64)
    left, chosen = np.arange(len(numbers)), []
    for _ in range(_ROUNDS):
        # The best that is left of each scene is a match; what is near it is none.
        _, firsts, scene = np.unique(scenes[left], return_index=True, return_inverse=True)
        best = left[firsts]
        chosen.append(best)
        left = left[np.abs(seconds[left] - seconds[best[scene]]) >= APART_S]
    others = _one_by_one(scenes[left].tolist(), seconds[left].tolist(), len(left))
    return np.sort(np.concatenate([*chosen, left[others]]))


def _one_by_one(scenes: list[int], seconds: list[int], enough: int) -> list[int]:
    # Matches of a scene are APART_S apart, so each stretch of APART_S seconds holds one at most.
    taken: dict[int, dict[int, int]] = {}
    chosen: list[int] = []
    for index, (scene, second) in enumerate(zip(scenes, seconds, strict=True)):
        stretch = second // APART_S
        shown = taken.get(scene)
        if shown is None:  # as for most that come so far
            shown = taken[scene] = {}
        elif (
            stretch in shown
            or second - shown.get(stretch - 1, second - APART_S) < APART_S
            or shown.get(stretch + 1, second + APART_S) - second < APART_S
        ):
            continue
        shown[stretch] = second
        chosen.append(index)
        if len(chosen) == enough:
            break
    return chosen


class Float16Scan:
    """The finder that needs nothing but the rows, and that all others are compared with.

    Its estimates are the exact scores of all stored rows; it is as slow as memory is.
    """

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


EstimateMany = Callable[[Sequence[QueryVectors]], list[Estimates]]


@dataclass(eq=False, slots=True)
class _Waiting:
    query: QueryVectors
    rows: object
    count: int
    turn: threading.Event = field(default_factory=threading.Event)
    batch: list[_Waiting] = field(default_factory=list)  # to be estimated by this one's thread
    found: Estimates | None = None
    error: BaseException | None = None

    @property
    def vectors(self) -> int:
        return 1 + (0 if self.query.exclude is None else len(self.query.exclude))


class SharedPass:
    """Takes turns at scanning, and takes along whoever waits for the same rows.

    Memory is what a pass waits for, so one for many queries takes little longer than one for one.
    Who comes while nobody scans begins at once: a single client never waits for others.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_scanning = False
        self._waiting: list[_Waiting] = []

    def estimate(
        self, query: QueryVectors, rows: object, count: int, many: EstimateMany
    ) -> Estimates:
        """What `many`, a pass over `count` rows, finds for this query.

        Searches with the same `rows` may share a pass. Raises what `many` raises.
        """
        mine = _Waiting(query, rows, count)
        with self._lock:
            if not self._is_scanning:
                self._is_scanning = True
                mine.batch = [mine]
            else:
                self._waiting.append(mine)
        if not mine.batch:
            mine.turn.wait()
        if mine.batch:
            try:
                self._scan(mine.batch, many)
            finally:  # whatever ends this thread: others wait
                with self._lock:
                    self._pass_on()
        if mine.error is not None:
            raise mine.error
        assert mine.found is not None
        return mine.found

    def _scan(self, batch: list[_Waiting], many: EstimateMany) -> None:
        try:
            found = many([one.query for one in batch])
            for one, estimates in zip(batch, found, strict=True):
                one.found = estimates
        except Exception:  # noqa: BLE001 - whatever it is, it may be one query's alone
            for one in batch:
                _estimate_alone(one, many)
        finally:
            for one in batch[1:]:
                one.turn.set()

    def _pass_on(self) -> None:
        """Let the one that has waited longest scan, with those that it can take along."""
        if not self._waiting:
            self._is_scanning = False
            return
        first = self._waiting[0]
        vectors, most = 0, max(1, _BYTES // (4 * first.count))
        for one in self._waiting:
            fits = one is first or vectors + one.vectors <= _VECTORS
            if one.rows == first.rows and fits:
                first.batch.append(one)
                vectors += one.vectors
            if len(first.batch) >= most:
                break
        self._waiting = [one for one in self._waiting if one not in first.batch]
        first.turn.set()


def _estimate_alone(one: _Waiting, many: EstimateMany) -> None:
    try:
        (one.found,) = many([one.query])
    except Exception as error:  # noqa: BLE001 - its own search raises it
        one.error = error


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
        search: FrameSearch,
        ranges: list[RowRange],
        max_results: int,
    ) -> list[Hit]:
        """Matches in these rows, best first, without their paths. No frame hides a better one."""
        query, least = search.vectors, search.least
        places = Places(ranges, snapshot)
        mask = None if search.frames is None else places.allowed(search.frames)
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


class StoredPlaces:
    """What is stored of places, each a row of the search, for the ranking; as of Places."""

    def __init__(self, places: Places, snapshot: VectorSnapshot, query: QueryVectors) -> None:
        self.places, self.query = places, query
        self.excluding = query.exclude is not None and len(query.exclude) > 0
        self.rows, self.tie_order = places.rows, places.tie_order
        self.numbers = places.numbers
        self._vectors = snapshot.some

    def scores(self, places: Rows) -> tuple[Scores, Scores]:
        """(base, final) of the stored rows: without and with the excluded concepts."""
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
