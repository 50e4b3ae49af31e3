"""From places in a list of scores to rows of the merged array, and to hits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from api.people.frame_filter import FrameFilter
from api.search.frames.log import VectorSnapshot
from api.search.frames.scan import RowRange, Scores
from api.search.types import Hit
from shared.domain import Scene


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
