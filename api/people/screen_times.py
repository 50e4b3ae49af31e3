"""How long, on how many pictures and in how many files each cluster is to be seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.cache.faces import seconds_of
from shared.people.clustering import Clustering


class ScreenTime(NamedTuple):
    """Where the faces of one cluster are."""

    seconds: int  # grid seconds of films
    stills: int  # pictures
    files: int  # MediaFiles of either kind


_MOST_SHORT = 1 << 16  # clusters
NOT_SEEN = ScreenTime(0, 0, 0)


def screen_times(
    clustering: Clustering, roots: NDArray[np.int32], is_still: NDArray[np.bool_]
) -> dict[int, ScreenTime]:
    """By cluster, NO_CLUSTER too. `roots`: [n] of each face; `is_still`: [m] of each MediaFile."""
    if not len(roots):
        return {}
    ids = np.unique(roots)
    cluster = np.searchsorted(ids, roots)
    order = _by_cluster(cluster, len(ids))
    cluster = cluster[order]
    media, seconds = clustering.media_of[order], seconds_of(clustering.keys[order])
    # Faces are ordered by file, then by second: so what is new differs from the one before.
    is_file = np.ones(len(order), bool)
    is_file[1:] = (cluster[1:] != cluster[:-1]) | (media[1:] != media[:-1])
    is_second = is_file.copy()
    is_second[1:] |= seconds[1:] != seconds[:-1]
    of_still = is_still[media]
    columns = [
        np.bincount(cluster[counted], minlength=len(ids)).tolist()
        for counted in (is_second & ~of_still, is_file & of_still, is_file)
    ]
    return {id_: ScreenTime(*numbers) for id_, *numbers in zip(ids.tolist(), *columns, strict=True)}


def _by_cluster(cluster: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Indexes of faces in the order of their clusters, those of one in the order they had.

    Sorting short numbers takes a tenth of the time.
    """
    short = cluster.astype(np.uint16) if count <= _MOST_SHORT else cluster
    return np.argsort(short, kind="stable")
