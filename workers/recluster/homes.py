"""Which id each face had when its person was new: it lets ids come back after any regrouping."""

from __future__ import annotations

from collections.abc import Set

import numpy as np
from numpy.typing import NDArray

from shared.cache.faces import face_id
from shared.people.clustering import NO_CLUSTER, Clustering, Memory
from shared.people.face_index import GONE, FaceIndex
from shared.people.state import PeopleState
from workers.recluster.assembly import merged, table_of
from workers.recluster.loading import FaceTable


def homes_of(memory: Memory, table: FaceTable) -> NDArray[np.int32]:
    """[len(table)] the home of each face, NO_CLUSTER for faces that are new.

    Faces that were detected anew, perhaps by another model, are a little elsewhere: then the
    nearest one of that second counts, as it does for moves made by hand.
    """
    at = known_places(memory, table)
    homes = np.full(len(table), NO_CLUSTER, np.int32)
    homes[at != GONE] = memory.homes[at[at != GONE]]
    return homes


def known_places(old: Memory | FaceTable, new: FaceTable) -> NDArray[np.int32]:
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
    table: FaceTable,
    homes: NDArray[np.int32],
    old: Clustering,
    state: PeopleState,
    heard: NDArray[np.int32],
) -> tuple[NDArray[np.int32], ...]:
    """The ids that faces have a say for, see `keep_ids`.

    Whom users have moved has a say only where nobody else has: whoever is left in a cluster keeps
    it, and moved faces stay where they were put, whatever id their cluster gets.
    """
    at = known_places(table_of(old), table)
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


def remembered(memory: Memory, table: FaceTable, homes: NDArray[np.int32]) -> Memory:
    """The homes of these faces, and of the MediaFiles that are not among them."""
    away = FaceTable(
        media=memory.media,
        files=("",) * len(memory.media),
        media_of=memory.media_of,
        keys=memory.keys,
        rows=np.zeros(len(memory.keys), np.int32),
    )
    both = merged(away, table)
    found = np.full(len(both.table), NO_CLUSTER, np.int32)
    stays = both.old_at != GONE
    found[both.old_at[stays]] = memory.homes[stays]
    found[both.new_at] = homes
    return Memory(both.table.media, both.table.media_of, both.table.keys, found)
