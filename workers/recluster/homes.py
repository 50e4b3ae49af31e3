"""Which id each face had when its person was new: it lets ids come back after any regrouping."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shared.cache.faces import face_id
from shared.people.clustering import GONE, NO_CLUSTER, Clustering, FaceIndex, Memory, take
from shared.people.state import PeopleState
from shared.seeded_ids import seeded_id
from workers.recluster.loading import FaceTable
from workers.recluster.types import Labels

Table = FaceTable | Clustering


@dataclass(frozen=True, slots=True)
class MergedTables:
    """One table of the faces of two. `old_at`, `new_at`: where each face of theirs stands now."""

    table: FaceTable
    old_at: NDArray[np.int64]
    new_at: NDArray[np.int64]


def merged(old: Table, new: Table) -> MergedTables:
    """All MediaFiles of both; of one that is in both the new faces count."""
    replaced = set(new.media)
    kept = [number for number, hash_str in enumerate(old.media) if hash_str not in replaced]
    file_of = {old.media[number]: old.media_files[number] for number in kept}
    file_of |= dict(zip(new.media, new.media_files, strict=True))
    media = tuple(sorted(file_of))
    place = {hash_str: number for number, hash_str in enumerate(media)}
    old_media = _renumbered([place[h] if h not in replaced else GONE for h in old.media], old)
    new_media = _renumbered([place[h] for h in new.media], new)
    stays = np.flatnonzero(old_media != GONE)
    media_of = np.concatenate([old_media[stays], new_media])
    keys = np.concatenate([old.keys[stays], new.keys])
    order = np.lexsort((keys, media_of))
    at = np.empty(len(order), np.int64)
    at[order] = np.arange(len(order))
    old_at = np.full(len(old), GONE, np.int64)
    old_at[stays] = at[: len(stays)]
    table = FaceTable(
        media=media,
        media_files=tuple(file_of[hash_str] for hash_str in media),
        media_of=media_of[order],
        keys=keys[order],
        rows=np.concatenate([old.rows[stays], new.rows])[order],
    )
    return MergedTables(table, old_at, at[len(stays) :])


def at_new_places(places: NDArray[np.int32], now_at: NDArray[np.int64]) -> NDArray[np.int32]:
    """Places of faces (-1: none) after a merge; those that are gone become -1."""
    if not len(now_at):
        return np.full(places.shape, GONE, np.int32)
    return np.where(places >= 0, now_at[np.maximum(places, 0)], GONE).astype(np.int32)


def without_empty(clustering: Clustering) -> Clustering:
    """The clustering without clusters that have no faces; their ids are used up."""
    stays = np.isin(clustering.cluster_ids, clustering.labels)
    retired = np.union1d(clustering.retired, clustering.cluster_ids[~stays])
    return replace(take(clustering, stays, "c"), retired=retired.astype(np.int32))


def _renumbered(numbers: list[int], table: Table) -> NDArray[np.int32]:
    if not numbers:
        return np.zeros(0, np.int32)
    return np.array(numbers, np.int32)[table.media_of]


_LEAST_PART = 3  # a third of an old cluster's faces must be together to keep its id


def homes_of(memory: Memory, table: Table) -> NDArray[np.int32]:
    """[len(table)] the home of each face, NO_CLUSTER for faces that are new.

    Faces that were detected anew, perhaps by another model, are a little elsewhere: then the
    nearest one of that second counts, as it does for moves made by hand.
    """
    at = known_places(memory, table)
    homes = np.full(len(table), NO_CLUSTER, np.int32)
    homes[at != GONE] = memory.homes[at[at != GONE]]
    return homes


def known_places(old: Memory | Clustering, new: Table) -> NDArray[np.int32]:
    """[len(new)] the place in `old` of the same face, or GONE."""
    index = FaceIndex(old)
    at = index.same(new)
    lost = (at == GONE) & np.isin(new.media, old.media)[new.media_of]
    if lost.any():
        # With all faces of their files, so that no face is taken for two.
        near = np.flatnonzero(np.isin(new.media_of, new.media_of[lost]))
        at[near] = index.find(
            [face_id(new.media[new.media_of[n]], int(new.keys[n])) for n in near.tolist()]
        )
    return at


def claims_of(
    table: Table,
    homes: NDArray[np.int32],
    old: Clustering,
    state: PeopleState,
    heard: NDArray[np.int32],
) -> tuple[NDArray[np.int32], ...]:
    """The ids that faces have a say for, see `keep_ids`.

    Whom users have moved has a say only where nobody else has: whoever is left in a cluster keeps
    it, and moved faces stay where they were put, whatever id their cluster gets.
    """
    at = known_places(old, table)
    pins = _carried(state.overlap_labels, at)
    is_moved = pins != _carried(old.labels, at)
    return (
        np.where(is_moved, NO_CLUSTER, homes),
        np.where(is_moved & ~np.isin(pins, heard), pins, NO_CLUSTER),
        np.where(is_moved, homes, NO_CLUSTER),
        _carried(state.recognised, at),
    )


def _carried(labels: NDArray[np.int32], at: NDArray[np.int32]) -> NDArray[np.int32]:
    """Labels of faces by their places in an older table; NO_CLUSTER for those that are GONE."""
    carried: NDArray[np.int32] = np.append(labels, np.int32(NO_CLUSTER))[at]  # GONE is the last
    return carried


def settled(
    homes: NDArray[np.int32], labels: NDArray[np.int32], born: Set[int]
) -> NDArray[np.int32]:
    """Homes after a grouping.

    Of `born` people all faces are at home there, and the homeless are at home where they are.
    """
    moves_in = np.isin(labels, list(born)) | ((homes == NO_CLUSTER) & (labels != NO_CLUSTER))
    return np.where(moves_in, labels, homes).astype(np.int32)


def remembered(memory: Memory, table: Table, homes: NDArray[np.int32]) -> Memory:
    """The homes of these faces, and of the MediaFiles that are not among them."""
    media, keys = memory.media, memory.keys
    rows = np.zeros(len(keys), np.int32)
    both = merged(FaceTable(media, ("",) * len(media), memory.media_of, keys, rows), table)
    found = np.full(len(both.table), NO_CLUSTER, np.int32)
    stays = both.old_at != GONE
    found[both.old_at[stays]] = memory.homes[stays]
    found[both.new_at] = homes
    return Memory(both.table.media, both.table.media_of, both.table.keys, found)


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
