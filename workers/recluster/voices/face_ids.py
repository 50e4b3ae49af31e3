"""What voices have to know of a Collection's faces: ids that faces have, had or may have again.

Read alone: of 100,000 faces all else takes 25 MB.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.cache import limits
from shared.cache.cache_dir import CacheDir
from shared.opening import RootedPath
from shared.people.clustering import SAMPLES, Clustering
from shared.people.clustering_files import CLUSTERINGS
from shared.people.collection import Collection
from shared.people.enrolment import References
from shared.people.numbered_files import NumberedFiles
from shared.people.recognition import enrolled_id
from shared.people.stored_arrays import read_whole

_IDS = ("cluster_ids", "retired", "memory_homes")


def without_faces(cache: CacheDir, collection: Collection) -> Clustering:
    """The newest clustering without its faces.

    As retired count also the ids that faces may get again, and those of enrolled people.
    """
    kind = replace(CLUSTERINGS, read=_read)
    files = NumberedFiles(kind, collection.folder, cache.root, lambda: None)
    found = files.newest()
    if found is None:
        found = Clustering.empty()
    enrolled = [enrolled_id(name) for name in References(cache.root).names()]
    retired = np.union1d(found.retired, np.array(enrolled, np.int32))
    return replace(found, retired=np.setdiff1d(retired, found.cluster_ids).astype(np.int32))


def _read(path: RootedPath) -> Clustering:
    return read_whole(path, "clustering", limits.CLUSTERING, ("number", *_IDS), _decoded, _check)


def _decoded(arrays: dict[str, NDArray[Any]]) -> Clustering:
    clusters, retired, homes = (arrays[name] for name in _IDS)
    if any(ids.ndim != 1 or ids.dtype != np.int32 for ids in (clusters, retired, homes)):
        raise ValueError("ids are none")
    used = np.union1d(retired, homes)
    return replace(
        Clustering.empty(),
        number=int(arrays["number"]),
        cluster_ids=clusters,
        means=np.zeros((len(clusters), 0), np.float32),
        sizes=np.zeros(len(clusters), np.int32),
        samples=np.full((len(clusters), SAMPLES), -1, np.int32),
        retired=used[used > 0],
    )


def _check(found: Clustering) -> None:
    ids = found.cluster_ids
    if (ids[1:] <= ids[:-1]).any() or (len(ids) and ids[0] <= 0):
        raise ValueError("the cluster ids are not ascending")
