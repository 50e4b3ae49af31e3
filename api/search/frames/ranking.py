"""Which rows become matches: the best frame of a scene, further ones 10 s apart, best first.

Frames are chosen by the score without the excluded concepts and ordered by the score with them.
So `exclude` moves matches and never changes which there are.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from api.search.frames.estimates import Estimates, Rows
from api.search.frames.places import Ranked
from api.search.frames.scan import Scores

APART_S = 10  # a further frame of a scene is at least this far from every better one
_ROUNDS = 3  # in which matches of all scenes are chosen together; long scenes have more
# Beyond so many candidates, and this share of all, a pass over the stored rows is the quicker way.
_MANY_CANDIDATES = 32_768
_MOST_OF_ALL = 1 / 16


class Stored(Protocol):
    """Knows of places, each a row of the search, what was stored of it."""

    def rows(self, places: Rows) -> NDArray[np.void]:
        """Records of the type ROW."""
        ...

    def numbers(self, places: Rows) -> Rows:
        """Rows of the merged array, in which a scene is one range."""
        ...

    def tie_order(self, places: Rows) -> NDArray[np.uint64]:
        """By what equal scores are ordered, on every machine alike."""
        ...

    def scores(self, places: Rows) -> tuple[Scores, Scores]:
        """(base, final) of the stored rows: without and with the excluded concepts."""
        ...


def rank(
    estimates: Estimates, stored: Stored, max_results: int, *, excluding: bool
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

    def __init__(self, estimates: Estimates, stored: Stored, *, whole_scenes: bool) -> None:
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
