"""Which rows become matches: the best frame of a scene, further ones 10 s apart, best first.

Frames are chosen by the score without the excluded concepts and ordered by the score with them.
So `exclude` moves matches and never changes which there are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from api.search.frames.scan import Scores

APART_S = 10  # a further frame of a scene is at least this far from every better one
_BLOCK = 256

Rows = NDArray[np.int64]


def rank(
    base: Scores,
    final: Scores,
    rows_of: Callable[[Rows], NDArray[np.void]],
    tie_order: Callable[[Rows], NDArray[np.uint64]],
    max_results: int,
) -> Rows:
    """Places in `base` of the matches, best first. `rows_of` gives ROW records of places.

    Frames with a base score of -inf are filtered out. `final` must not exceed `base`.
    """
    wanted = max(1024, 16 * max_results)
    while True:
        places = top(base, wanted)
        order = np.lexsort((places, tie_order(places), -base[places]))
        places = places[order]
        # Nothing excluded: the order of choosing is the order of the matches.
        enough = max_results if final is base else len(places)
        chosen = places[_spread(places, rows_of(places), enough)]
        best_first = chosen[np.lexsort((chosen, tie_order(chosen), -final[chosen]))]
        best_first = best_first[:max_results]
        if len(places) >= np.isfinite(base).sum():
            return best_first
        # Frames further down are no better than the last one looked at: can any still come in?
        if len(best_first) == max_results and final[best_first[-1]] >= base[places[-1]]:
            return best_first
        wanted *= 8


def top(scores: Scores, count: int) -> Rows:
    """Places of at least the `count` best finite scores: all that reach one threshold."""
    blocks = -(-len(scores) // _BLOCK)
    if blocks <= count:
        # Few blocks: their maxima say nothing about the `count` best.
        if len(scores) <= count:
            return np.flatnonzero(np.isfinite(scores))
        threshold = np.partition(scores, len(scores) - count)[len(scores) - count]
    else:
        whole = len(scores) // _BLOCK * _BLOCK
        maxima = scores[:whole].reshape(-1, _BLOCK).max(axis=1)
        if whole < len(scores):
            maxima = np.append(maxima, scores[whole:].max())
        threshold = np.partition(maxima, blocks - count)[blocks - count]
    return np.flatnonzero((scores >= threshold) & np.isfinite(scores))


def _spread(places: Rows, rows: NDArray[np.void], enough: int) -> Rows:
    """Indices into `places` (best first) of those that no better match of their scene is near.

    Stops when there are `enough`.
    """
    # Rows of a scene are neighbours, so the place of its first row names it. Matches of a scene
    # are APART_S apart, so each stretch of APART_S seconds holds one at the most.
    scenes = (places - rows["back"].astype(np.int64)).tolist()
    taken: dict[tuple[int, int], int] = {}
    chosen = []
    for index, (scene, second) in enumerate(zip(scenes, rows["second"].tolist(), strict=True)):
        stretch = second // APART_S
        if not any(
            abs(taken.get((scene, near), second + APART_S) - second) < APART_S
            for near in (stretch - 1, stretch, stretch + 1)
        ):
            taken[scene, stretch] = second
            chosen.append(index)
            if len(chosen) == enough:
                break
    return np.array(chosen, dtype=np.int64)
