"""A grouping of faces, and edits of users, without one person."""

from __future__ import annotations

from collections.abc import Collection, Set
from dataclasses import replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from api.deleting.person_faces import PersonFaces
from shared.cache.cache_dir import CacheDir
from shared.cache.faces import face_keys, read_faces
from shared.domain import Stage
from shared.errors import CacheError
from shared.people.clustering import NO_CLUSTER, Clustering, Memory
from shared.people.edits import FaceMove, Modify, Names, NewEdit
from shared.people.names import spoken

_GONE = -1


def without_person(
    cache: CacheDir, clustering: Clustering, person: PersonFaces, clusters: Set[int]
) -> Clustering:
    """The clustering without the person's faces, and without `clusters`, who are the person.

    So go other clusters of which no face is left. Others that lose faces get a new mean.
    """
    theirs = faces_of_person(clustering, person)
    if not theirs.any() and not np.isin(clustering.cluster_ids, list(clusters)).any():
        memory = _forgotten(clustering.memory, person)
        is_same = len(memory.keys) == len(clustering.memory.keys)
        return clustering if is_same else replace(clustering, memory=memory)
    keep = np.flatnonzero(~theirs)
    at = np.full(len(clustering) + 1, _GONE, np.int64)  # the last stands for "no face"
    at[keep] = np.arange(len(keep))
    labels = clustering.labels[keep].copy()
    labels[np.isin(labels, list(clusters))] = NO_CLUSTER  # faces that were moved to others
    stays = _staying(clustering, labels) & ~np.isin(clustering.cluster_ids, list(clusters))
    retired = np.union1d(clustering.retired, clustering.cluster_ids[~stays])
    loose = at[clustering.loose] != _GONE
    found = replace(
        clustering,
        grouped_faces=min(clustering.grouped_faces, len(keep)),
        media_of=clustering.media_of[keep],
        keys=clustering.keys[keep],
        rows=clustering.rows[keep],
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
    return _with_new_means(cache, _as_stored(cache, found, person), clustering.labels[theirs])


def _staying(clustering: Clustering, labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """[c] clusters that have faces left by these labels, or had none before."""
    ids = clustering.cluster_ids
    return np.isin(ids, labels) | ~np.isin(ids, clustering.labels)


def _as_stored(cache: CacheDir, clustering: Clustering, person: PersonFaces) -> Clustering:
    """Rows and names of the artefacts that were rewritten.

    Of a file whose faces were made anew the former name stays: so the next grouping reads them.
    """
    rows, files = clustering.rows.copy(), list(clustering.media_files)
    for number, hash_str in enumerate(clustering.media):
        manifest = None
        if hash_str in person.keys:
            manifest = cache.manifest(hash_str, Stage.FACES, clustering.model)
        if manifest is None:
            continue
        here = np.flatnonzero(clustering.media_of == number)
        stored = read_faces(cache.data_path(hash_str, manifest), "seconds", "boxes")
        keys = face_keys(stored["seconds"], stored["boxes"])
        if np.array_equal(keys, clustering.keys[here]):
            rows[here], files[number] = np.arange(len(here)), manifest.file
    return replace(clustering, rows=rows, media_files=tuple(files))


def _with_new_means(
    cache: CacheDir, clustering: Clustering, touched: NDArray[np.int32]
) -> Clustering:
    """Means and sizes of the clusters that lost faces, from those that they have left."""
    means, sizes = clustering.means.copy(), clustering.sizes.copy()
    for place in np.flatnonzero(np.isin(clustering.cluster_ids, touched)).tolist():
        faces = np.flatnonzero(clustering.labels == clustering.cluster_ids[place])
        rows = _embeddings(cache, clustering, faces)
        total = rows.sum(axis=0)
        if len(rows) and (length := float(np.linalg.norm(total))) > 0:
            means[place], sizes[place] = total / length, len(rows)
    return replace(clustering, means=means, sizes=sizes)


def _embeddings(
    cache: CacheDir, clustering: Clustering, faces: NDArray[np.intp]
) -> NDArray[np.float32]:
    """[m, dim] those of these faces that form clusters (else of all) and that can be read."""
    found, marks = [], []
    media = clustering.media_of[faces]
    for number in np.unique(media).tolist():
        hash_str = clustering.media[number]
        manifest = cache.manifest(hash_str, Stage.FACES, clustering.model)
        if manifest is None or manifest.file != clustering.media_files[number]:
            continue
        try:
            stored = read_faces(cache.data_path(hash_str, manifest), "embeddings", "marks")
        except CacheError:  # its faces have no say
            continue
        rows = clustering.rows[faces[media == number]]
        found.append(stored["embeddings"][rows].astype(np.float32))
        marks.append(stored["marks"][rows])
    if not found:
        return np.zeros((0, clustering.means.shape[1]), np.float32)
    rows, forms = np.concatenate(found), np.concatenate(marks) == 0
    return rows[forms] if forms.any() else rows


def without_mention(
    edit: NewEdit,
    faces: Set[str],
    clusters: Collection[int],
    names: Collection[str],
    voices: Set[str] = frozenset(),
) -> NewEdit:
    """An edit that says nothing of the person: no name, none of the faces and voices.

    `faces`, `voices`: ids; `names`: what the person is called, as `spoken` has it.
    """
    if isinstance(edit, Names):
        assignments = tuple(
            given
            for given in edit.assignments
            if given.cluster_id not in clusters and spoken(given.name) not in names
        )
        return Names(assignments) if assignments != edit.assignments else edit
    if isinstance(edit, Modify):
        moves = tuple(moved for move in edit.moves if (moved := _move(move, faces, voices)))
        return msgspec.structs.replace(edit, moves=moves) if moves != edit.moves else edit
    return edit


def _move(move: FaceMove, faces: Set[str], voices: Set[str]) -> FaceMove | None:
    stays = [n for n, face_id in enumerate(move.face_ids) if face_id not in faces]
    heard = tuple(voice_id for voice_id in move.voice_ids if voice_id not in voices)
    if not stays and not heard:
        return None
    others = tuple(move.face_ids[n] for n in stays)
    if len(move.sources) == len(move.face_ids):
        sources = tuple(move.sources[n] for n in stays)
    else:
        sources = move.sources if len(move.sources) == 1 else ()
    return msgspec.structs.replace(
        move,
        face_ids=others,
        sources=sources,
        voice_ids=heard,
        voice_sources=move.voice_sources if heard else (),
    )


def faces_of_person(faces: Clustering | Memory, person: PersonFaces) -> NDArray[np.bool_]:
    """[n] which faces are the person's."""
    found = np.zeros(len(faces.keys), np.bool_)
    ends = np.searchsorted(faces.media_of, np.arange(len(faces.media) + 1))
    for number, hash_str in enumerate(faces.media):
        if hash_str in person.keys:
            start, end = ends[number], ends[number + 1]
            found[start:end] = person.among(hash_str, faces.keys[start:end])
    return found


def _samples(places: NDArray[np.int64]) -> NDArray[np.int32]:
    """Samples that are left, best first, and behind them -1."""
    order = np.argsort(places == _GONE, axis=1, kind="stable")
    return np.take_along_axis(places, order, axis=1).astype(np.int32)


def _forgotten(memory: Memory, person: PersonFaces) -> Memory:
    keep = np.flatnonzero(~faces_of_person(memory, person))
    return replace(
        memory, media_of=memory.media_of[keep], keys=memory.keys[keep], homes=memory.homes[keep]
    )
