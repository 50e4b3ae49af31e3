"""Which old id a new cluster keeps, and ids for clusters that keep none."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from shared.people.clustering import NO_CLUSTER
from shared.seeded_ids import seeded_id
from workers.recluster.types import Labels

_LEAST_PART = 3  # a third of an old cluster's faces must be together to keep its id


def keep_ids(
    new_labels: Labels,
    claims: Sequence[NDArray[np.int32]],
    id_seeds: Sequence[tuple[str, int]],
    taken: Collection[int],
) -> NDArray[np.int32]:
    """[clusters] id of each new cluster.

    Each of the `claims` gives faces an id that they had, NO_CLUSTER for faces without one; later
    ones count where earlier ones gave no id. An id goes to the cluster that holds most of the
    faces with it if no other id has more faces there. `id_seeds`: (hash_str, key) of the smallest
    member of each cluster, from which other ids are made. `taken` and claimed ids are never given
    to other people.
    """
    ids = np.full(len(id_seeds), NO_CLUSTER, np.int32)
    used = set(taken)
    for claim in claims if len(ids) else ():
        used.update(np.unique(claim).tolist())
        is_open = (new_labels != NO_CLUSTER) & (ids[new_labels] == NO_CLUSTER)
        says = np.where(np.isin(claim, ids), NO_CLUSTER, claim)
        late = _inherited(np.where(is_open, new_labels, NO_CLUSTER), says, len(ids))
        ids = np.where(ids == NO_CLUSTER, late, ids)
    for cluster in sorted(np.flatnonzero(ids == NO_CLUSTER).tolist(), key=id_seeds.__getitem__):
        hash_str, key = id_seeds[cluster]
        ids[cluster] = id_ = seeded_id(f"{hash_str}-{key}", used)
        used.add(id_)
    return ids


def named(labels: NDArray[np.int32], ids: NDArray[np.int32]) -> NDArray[np.int32]:
    """Ids for numbers of clusters; NO_CLUSTER stays."""
    if not len(ids):
        return np.full(len(labels), NO_CLUSTER, np.int32)
    return np.where(labels == NO_CLUSTER, NO_CLUSTER, ids[np.maximum(labels, 0)]).astype(np.int32)


def _inherited(
    new_labels: Labels, old_labels: NDArray[np.int32], clusters: int
) -> NDArray[np.int32]:
    ids = np.full(clusters, NO_CLUSTER, np.int32)
    both = (new_labels != NO_CLUSTER) & (old_labels != NO_CLUSTER)
    if not both.any():
        return ids
    old_ids, old = np.unique(old_labels[old_labels != NO_CLUSTER], return_inverse=True)
    present = np.bincount(old)
    old = np.searchsorted(old_ids, old_labels[both])
    pairs, overlap = np.unique(
        old.astype(np.int64) * clusters + new_labels[both], return_counts=True
    )
    of_old, of_new = np.divmod(pairs, clusters)
    order = np.lexsort((of_new, of_old, -overlap))
    leads_old, leads_new = np.zeros(len(pairs), bool), np.zeros(len(pairs), bool)
    leads_old[order[np.unique(of_old[order], return_index=True)[1]]] = True
    leads_new[order[np.unique(of_new[order], return_index=True)[1]]] = True
    kept = leads_old & leads_new & (overlap * _LEAST_PART >= present[of_old])
    ids[of_new[kept]] = old_ids[of_old[kept]]
    return ids
