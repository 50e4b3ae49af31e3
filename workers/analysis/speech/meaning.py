"""What segments of a transcript mean, as rows for search."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from shared.cache.transcripts import Segment
from shared.models.sentence_model import DIM

Embed = Callable[[list[str]], NDArray[np.float32] | None]

_AT_ONCE = 256  # segments; a second or two of work
# Of a segment with its neighbours, beside the segment alone. Recall is the same from 0.3 to 0.7
# (tests/quality/transcripts).
_NEIGHBOURS_WEIGHT = 0.5


def rows_of(
    segments: Sequence[Segment], embed: Embed, checkpoint: Callable[[], None]
) -> NDArray[np.float16] | None:
    """A row for each segment, [n, 384]: the mean of its own and of what is said around it.

    A cosine with such a row is that mean of the two cosines. None where `embed` gives none.
    """
    own = np.zeros((len(segments), DIM), np.float32)
    for at in range(0, len(segments), _AT_ONCE):
        checkpoint()
        found = embed([segment.text for segment in segments[at : at + _AT_ONCE]])
        if found is None:
            return None
        own[at : at + len(found)] = found
    rows = (own + _NEIGHBOURS_WEIGHT * _around(segments, own)) / (1 + _NEIGHBOURS_WEIGHT)
    return rows.astype(np.float16)


def _around(segments: Sequence[Segment], own: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit rows of each segment together with those before and after it in its stream."""
    streams = np.array([-1 if one.stream is None else one.stream for one in segments])
    order = np.lexsort((np.array([one.start for one in segments]), streams))
    sorted_rows, sorted_streams = own[order], streams[order]
    sums = sorted_rows.copy()
    are_neighbours = (sorted_streams[1:] == sorted_streams[:-1])[:, None]
    sums[1:] += sorted_rows[:-1] * are_neighbours
    sums[:-1] += sorted_rows[1:] * are_neighbours
    around = np.empty_like(own)
    around[order] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return around
