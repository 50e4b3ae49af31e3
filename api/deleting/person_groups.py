"""A grouping of faces, and edits of users, without one person."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from api.deleting.person_faces import PersonFaces
from shared.people.clustering import NO_CLUSTER, Clustering, Memory
from shared.people.edits import FaceMove, Modify, Names, NewEdit
from shared.people.names import spoken

_GONE = -1


def without_person(
    clustering: Clustering,
    person: PersonFaces,
    clusters: Collection[int],
    files: Mapping[str, tuple[str, NDArray[np.uint64]]],
) -> Clustering:
    """The clustering without the person's faces, and without `clusters`, who are the person.

    So go other clusters of which no face is left. `files`: by hash_str the artefacts that were
    rewritten, as their name and the keys of their rows.
    """
    keep = np.flatnonzero(~faces_of_person(clustering, person))
    at = np.full(len(clustering) + 1, _GONE, np.int64)  # the last stands for "no face"
    at[keep] = np.arange(len(keep))
    labels = clustering.labels[keep].copy()
    labels[np.isin(labels, list(clusters))] = NO_CLUSTER  # faces that were moved to others
    stays = _staying(clustering, labels) & ~np.isin(clustering.cluster_ids, list(clusters))
    retired = np.union1d(clustering.retired, clustering.cluster_ids[~stays])
    loose = at[clustering.loose] != _GONE
    return replace(
        clustering,
        media_files=tuple(
            files[hash_str][0] if hash_str in files else file
            for hash_str, file in zip(clustering.media, clustering.media_files, strict=True)
        ),
        grouped_faces=min(clustering.grouped_faces, len(keep)),
        media_of=clustering.media_of[keep],
        keys=clustering.keys[keep],
        rows=_rows(clustering, keep, files),
        labels=labels,
        cluster_ids=clustering.cluster_ids[stays],
        means=clustering.means[stays],
        sizes=clustering.sizes[stays],
        samples=_samples(at[clustering.samples[stays]]),
        retired=retired.astype(np.int32),
        loose=at[clustering.loose[loose]].astype(np.int32),
        loose_embeddings=clustering.loose_embeddings[loose],
        memory=_forgotten(clustering.memory, person),
    )


def _staying(clustering: Clustering, labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """[c] clusters that have faces left by these labels, or had none before."""
    ids = clustering.cluster_ids
    return np.isin(ids, labels) | ~np.isin(ids, clustering.labels)


def without_mention(
    edit: NewEdit, person: PersonFaces, clusters: Collection[int], names: Collection[str]
) -> NewEdit:
    """An edit that says nothing of the person: no name, none of the faces.

    `names`: what the person is called, as `spoken` has it.
    """
    if isinstance(edit, Names):
        assignments = tuple(
            given
            for given in edit.assignments
            if given.cluster_id not in clusters and spoken(given.name) not in names
        )
        return Names(assignments) if assignments != edit.assignments else edit
    if isinstance(edit, Modify):
        moves = tuple(moved for move in edit.moves if (moved := _move(move, person)))
        return Modify(edit.merges, moves) if moves != edit.moves else edit
    return edit


def _move(move: FaceMove, person: PersonFaces) -> FaceMove | None:
    others = tuple(face_id for face_id in move.face_ids if not person.has(face_id))
    return FaceMove(others, move.target, move.is_new) if others else None


def faces_of_person(faces: Clustering | Memory, person: PersonFaces) -> NDArray[np.bool_]:
    """[n] which faces are the person's."""
    found = np.zeros(len(faces.keys), np.bool_)
    ends = np.searchsorted(faces.media_of, np.arange(len(faces.media) + 1))
    for number, hash_str in enumerate(faces.media):
        if hash_str in person.keys:
            start, end = ends[number], ends[number + 1]
            found[start:end] = person.among(hash_str, faces.keys[start:end])
    return found


def _rows(
    clustering: Clustering,
    keep: NDArray[np.intp],
    files: Mapping[str, tuple[str, NDArray[np.uint64]]],
) -> NDArray[np.int32]:
    """[kept] rows in the artefacts, which moved up in those that were rewritten."""
    rows = clustering.rows[keep].copy()
    media_of, keys = clustering.media_of[keep], clustering.keys[keep]
    for number, hash_str in enumerate(clustering.media):
        if hash_str in files:
            here = np.flatnonzero(media_of == number)
            rows[here] = np.searchsorted(files[hash_str][1], keys[here])
    return rows


def _samples(places: NDArray[np.int64]) -> NDArray[np.int32]:
    """Samples that are left, best first, and behind them -1."""
    order = np.argsort(places == _GONE, axis=1, kind="stable")
    return np.take_along_axis(places, order, axis=1).astype(np.int32)


def _forgotten(memory: Memory, person: PersonFaces) -> Memory:
    keep = np.flatnonzero(~faces_of_person(memory, person))
    return replace(
        memory, media_of=memory.media_of[keep], keys=memory.keys[keep], homes=memory.homes[keep]
    )
