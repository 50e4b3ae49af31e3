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


NOT_SEEN = ScreenTime(0, 0, 0)


def screen_times(
    clustering: Clustering, roots: NDArray[np.int32], is_still: NDArray[np.bool_]
) -> dict[int, ScreenTime]:
    """By cluster, NO_CLUSTER too. `roots`: [n] of each face; `is_still`: [m] of each MediaFile."""
    if not len(roots):
        return {}
    ids, cluster = np.unique(roots, return_inverse=True)
    media, seconds = clustering.media_of, seconds_of(clustering.keys)
    # Faces are ordered by file, then by second: so frames are numbered by where they change.
    is_first = np.ones(len(media), bool)
    is_first[1:] = (media[1:] != media[:-1]) | (seconds[1:] != seconds[:-1])
    frame = np.cumsum(is_first) - 1
    media_of_frame = media[is_first]
    shown = np.unique(cluster * len(media_of_frame) + frame)
    cluster_of, frame_of = np.divmod(shown, len(media_of_frame))
    are_stills = is_still[media_of_frame[frame_of]]
    files_of = np.unique(cluster * len(is_still) + media) // len(is_still)
    columns = [
        np.bincount(of, minlength=len(ids)).tolist()
        for of in (cluster_of[~are_stills], cluster_of[are_stills], files_of)
    ]
    return {id_: ScreenTime(*numbers) for id_, *numbers in zip(ids.tolist(), *columns, strict=True)}
