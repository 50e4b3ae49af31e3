"""What finds candidates: scores that may be a little off, each with a bound on by how much.

Stored float16 rows decide (api/search/frames/ranking.py), so whatever finds candidates gives the
same answers, as long as its bounds hold. `tests/contract/search/test_candidate_finders.py` is the
suite for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from api.search.frames.places import Places
from api.search.frames.scan import Scores
from api.search.types import QueryVectors

Rows = NDArray[np.int64]

_BLOCK = 256
_PIECE = 1 << 18  # places whose slack is computed together
_FEW = 16_384  # scores that are compared with a threshold as soon as maxima of blocks are made


class CandidateFinder(Protocol):
    """Estimates the scores of rows. Safe for threads."""

    def estimate(self, queries: Sequence[QueryVectors], places: Places) -> list[Estimates]:
        """The estimates for each query, made in one pass over the rows where that is quicker."""
        ...


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
        if len(scores) > _FEW:
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
