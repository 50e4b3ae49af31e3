"""Which faces show a person best: the clearest, and as different from each other as possible."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shared.people.clustering import SAMPLES
from workers.recluster.types import Embeddings, Labels, Rows, Step
from workers.recluster.vectors import products, unit

_LOOKED_AT = 256  # clearest faces of a cluster among which the different ones are chosen
_TYPICAL = 0.5  # part of the clearer faces, by nearness to the mean, from which the first comes


def choose_samples(
    embeddings: Embeddings,
    quality: NDArray[np.float32],
    labels: Labels,
    means: Rows,
    step: Step,
) -> NDArray[np.int32]:
    """[clusters, SAMPLES] faces, best first; -1: no more."""
    chosen = np.full((len(means), SAMPLES), -1, np.int32)
    # By label, then quality downwards, then place: the same input has the same samples.
    order = np.lexsort((-quality, labels))
    borders = np.searchsorted(labels[order], np.arange(len(means) + 1))
    for cluster, (start, end) in enumerate(pairwise(borders)):
        if cluster % 64 == 0:
            step(cluster / len(means), "Choosing samples")
        clear = order[start : start + min((end - start + 1) // 2, _LOOKED_AT)]
        if len(clear) < SAMPLES:  # small clusters show what they have
            clear = order[start : min(start + SAMPLES, end)]
        found = _different(embeddings[clear].astype(np.float32), means[cluster])
        chosen[cluster, : len(found)] = clear[found]
    return chosen


def _different(rows: Rows, mean: Rows) -> list[int]:
    """Up to SAMPLES rows, clearest first in `rows`: one near the mean, then the farthest ones."""
    if not len(rows):
        return []
    typical = products(rows, np.zeros(len(rows), np.intp), unit(mean[None]))
    found = [int(np.flatnonzero(typical >= np.quantile(typical, 1 - _TYPICAL))[0])]
    nearest = rows @ rows[found[0]]
    while len(found) < min(SAMPLES, len(rows)):
        nearest[found] = np.inf
        found.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, rows @ rows[found[-1]])
    return found
