"""Puts Clusterings together: old faces that stay and new ones, in one order, with lasting ids."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shared.people.clustering import Clustering
from workers.recluster.loading import FaceTable

GONE = -1  # the place of a face that is not in the other table


@dataclass(frozen=True, slots=True)
class MergedTables:
    """One table of the faces of two. `old_at`, `new_at`: where each face of theirs stands now."""

    table: FaceTable
    old_at: NDArray[np.int64]
    new_at: NDArray[np.int64]


def table_of(clustering: Clustering) -> FaceTable:
    return FaceTable(
        media=clustering.media,
        files=clustering.media_files,
        media_of=clustering.media_of,
        keys=clustering.keys,
        rows=clustering.rows,
    )


def merged(old: FaceTable, new: FaceTable) -> MergedTables:
    """All MediaFiles of both; of one that is in both the new faces count."""
    replaced = set(new.media)
    kept = [number for number, hash_str in enumerate(old.media) if hash_str not in replaced]
    file_of = {old.media[number]: old.files[number] for number in kept}
    file_of |= dict(zip(new.media, new.files, strict=True))
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
        files=tuple(file_of[hash_str] for hash_str in media),
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
    return replace(
        clustering,
        cluster_ids=clustering.cluster_ids[stays],
        means=clustering.means[stays],
        sizes=clustering.sizes[stays],
        samples=clustering.samples[stays],
        retired=retired.astype(np.int32),
    )


def _renumbered(numbers: list[int], table: FaceTable) -> NDArray[np.int32]:
    if not numbers:
        return np.zeros(0, np.int32)
    return np.array(numbers, np.int32)[table.media_of]
