"""The rule of ranking, written once more, plainly: every row is scored and looked at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from api.search.frames.estimates import score
from api.search.frames.log import VectorSnapshot
from api.search.types import QueryVectors, RowRange

Match = tuple[int, float]  # row, score


def plain_matches(
    snapshot: VectorSnapshot,
    query: QueryVectors,
    ranges: list[RowRange],
    most: int,
    mask: NDArray[np.bool_] | None = None,
) -> list[Match]:
    """Matches, best first, by a pass over all rows in `ranges`. `mask` goes over these rows."""
    base, final = score(snapshot.vectors, ranges, query, None, 1)
    rows = np.concatenate([np.arange(start, stop) for start, stop in ranges])
    places = np.arange(len(rows)) if mask is None else np.flatnonzero(mask)
    file = np.searchsorted(snapshot.starts, rows, side="right") - 1
    names = snapshot.names[file]
    seconds = snapshot.rows["second"][rows].tolist()
    scenes = (rows - snapshot.rows["back"][rows]).tolist()
    chosen: list[int] = []
    shown: dict[int, list[int]] = {}
    for place in places[np.lexsort((places, names[places], -base[places]))].tolist():
        others = shown.setdefault(scenes[place], [])
        if all(abs(seconds[place] - other) >= 10 for other in others):
            others.append(seconds[place])
            chosen.append(place)
            if query.exclude is None and len(chosen) == most:
                break
    chosen.sort(key=lambda place: (-final[place], names[place], place))
    return [(int(rows[place]), float(final[place])) for place in chosen[:most]]
