"""Average-link clustering of unit rows, with numpy alone and the same each time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def linked(
    rows: NDArray[np.float32], weights: NDArray[np.float64], least: float
) -> NDArray[np.int64]:
    """A number for the cluster of each row: clusters join while their mean cosine is `least`.

    Of two clusters that is the mean over all pairs between them, each counted by its `weights`.
    Takes time and memory of the square of the rows.
    """
    count = len(rows)
    sums = rows.astype(np.float64) * weights[:, None]
    masses = weights.astype(np.float64).copy()
    means = (sums @ sums.T) / np.outer(masses, masses)
    np.fill_diagonal(means, -np.inf)
    best = means.argmax(axis=1)
    found = np.arange(count)
    for _ in range(count - 1):
        values = means[np.arange(count), best]
        one = int(values.argmax())
        if values[one] < least:
            break
        kept, gone = sorted((one, int(best[one])))
        mass = masses[kept] + masses[gone]
        merged = (masses[kept] * means[kept] + masses[gone] * means[gone]) / mass
        merged[[kept, gone]] = -np.inf
        means[kept], means[:, kept] = merged, merged
        means[gone], means[:, gone] = -np.inf, -np.inf
        masses[kept] = mass
        found[found == gone] = kept
        _renew(means, best, kept, gone)
    return np.unique(found, return_inverse=True)[1].astype(np.int64)


def _renew(means: NDArray[np.float64], best: NDArray[np.int64], kept: int, gone: int) -> None:
    """The best partner of each row again, where it may be another one."""
    stale = np.flatnonzero((best == kept) | (best == gone))
    best[stale] = means[stale].argmax(axis=1)
    better = means[:, kept] > means[np.arange(len(best)), best]
    best[better] = kept
    best[kept] = means[kept].argmax()
