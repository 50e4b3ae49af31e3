"""Rows of voices, with more weight for what differs because somebody else speaks.

The network's rows also move with what is said and with noise and music around it. Linear
discriminant analysis of 251 readers, clean and over noise and music, found the 100 directions in
which readers differ most, measured by how much one reader varies. The file is made anew by
`tests/quality/transcripts/fit_directions.py`.
Fisher: The use of multiple measurements in taxonomic problems, 1936.
"""

from __future__ import annotations

import functools
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from workers.analysis.speakers.pieces import Rows

_FILE = "directions.npz"


def weighted(rows: Rows) -> Rows:
    """Unit rows of the network [n, 256] -> unit rows [n, 356].

    Cosines of these are the mean of two: of the rows, and of what they are in the directions. By
    both together voices are told apart better than by either.
    """
    middle, directions = _directions()
    found = (rows - middle) @ directions
    found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), np.float32(1e-12))
    return np.hstack([rows, found]) * np.float32(np.sqrt(0.5))


def of_network(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted rows, or sums of them -> those of the network, but for their length."""
    return rows[:, : len(_directions()[0])]


@functools.cache
def _directions() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The mean of all rows [256], and the directions [256, 100]."""
    path = resources.files(__package__) / _FILE
    with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
        return found["middle"].astype(np.float32), found["directions"].astype(np.float32)
