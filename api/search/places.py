"""From places in a list of scores to rows of the merged array, and to hits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from api.search.merged import Snapshot
from api.search.scan import RowRange
from api.search.types import FrameFilter, Hit
from shared.domain import Scene


class Places:
    """Places are rows of the wanted ranges, end to end."""

    def __init__(self, ranges: Sequence[RowRange], snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._starts = np.array([start for start, _ in ranges], dtype=np.int64)
        self._stops = np.array([stop for _, stop in ranges], dtype=np.int64)
        lengths = self._stops - self._starts
        self._at = np.cumsum(lengths) - lengths
        self._count = int(lengths.sum())

    def _row(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        index = np.searchsorted(self._at, places, side="right") - 1
        rows: NDArray[np.int64] = self._starts[index] + places - self._at[index]
        return rows

    def rows(self, places: NDArray[np.int64]) -> NDArray[np.void]:
        return self._snapshot.rows[self._row(places)]

    def tie_order(self, places: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Equal scores go by hash, on every machine alike."""
        index = np.searchsorted(self._snapshot.starts, self._row(places), side="right") - 1
        return self._snapshot.names[index]

    def allowed(self, only: FrameFilter) -> NDArray[np.bool_]:
        mask = np.zeros(self._count, dtype=bool)
        for hash_str, seconds in only.items():
            merged = self._snapshot.files.get(hash_str)
            if merged is None or not merged.rows:
                continue
            index = int(np.searchsorted(self._starts, merged.start, side="right")) - 1
            if index < 0 or merged.start >= self._stops[index]:
                continue
            at = int(self._at[index] + merged.start - self._starts[index])
            stored = self._snapshot.rows["second"][merged.start : merged.start + merged.rows]
            mask[at : at + merged.rows] = np.isin(stored, np.fromiter(seconds, np.int64))
        return mask

    def hit(self, place: int, score: float) -> Hit:
        row = int(self._row(np.array([place]))[0])
        merged = self._snapshot.file_at(row)
        record = self._snapshot.rows[row]
        scene = Scene(int(record["scene_start"]), int(record["scene_end"]))
        return Hit(merged.hash_str, int(record["second"]), row - merged.start, scene, score, None)
