"""Finds a person in a cache folder and deletes what was derived of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from api.deleting.person_faces import PersonFaces, as_keys, delete_faces
from api.deleting.person_groups import faces_of_person, without_mention, without_person
from api.people.snapshot import CollectionSnapshot
from shared.cache.cache_dir import CacheDir
from shared.cache.faces import face_keys, read_faces
from shared.domain import Stage
from shared.errors import Missing
from shared.people.clustering import Clustering
from shared.people.edits import Names
from shared.people.names import spoken

_TRIES = 3


@dataclass(frozen=True, slots=True)
class FoundPerson:
    """Who is to go, in one collection. `roots`: clusters; none where only an edit has the name."""

    snapshot: CollectionSnapshot
    roots: tuple[int, ...]

    @property
    def faces(self) -> NDArray[np.int32]:
        """Indexes into the clustering."""
        return self.snapshot.state.faces_of(self.roots)

    @property
    def names(self) -> list[str]:
        """Names of the clusters."""
        known = self.snapshot.state.names
        return sorted({known[root] for root in self.roots if root in known})


def named(snapshots: Iterable[CollectionSnapshot], name: str) -> list[FoundPerson]:
    """Everybody of this name. Raises Missing where nobody is, or was, called so."""
    found = []
    for snapshot in snapshots:
        roots = tuple(snapshot.state.ids_named(name))
        if roots or spoken(name) in _names_in_edits(snapshot):
            found.append(FoundPerson(snapshot, roots))
    if not found:
        raise Missing(
            f"name: nobody in this cache folder is called {name[:80]!r}; GET /faces/clusters lists "
            "all people."
        )
    return found


def _names_in_edits(snapshot: CollectionSnapshot) -> set[str]:
    log = (edit.what for edit in snapshot.state.edits)
    return {
        spoken(given.name) for what in log if isinstance(what, Names) for given in what.assignments
    }


def faces_in(found: Iterable[FoundPerson]) -> PersonFaces:
    """The person's faces in all these collections."""
    return PersonFaces(
        as_keys(
            (one.snapshot.hash_of(face), int(one.snapshot.clustering.keys[face]))
            for one in found
            for face in one.faces.tolist()
        )
    )


def delete_person(
    cache: CacheDir,
    found: Sequence[FoundPerson],
    name: str,
    snapshots: Callable[[], Sequence[CollectionSnapshot]],
    is_over: Callable[[str], bool],
) -> None:
    """Delete the faces from all results and collections of the folder, and what edits say of them.

    Faces first: whoever asks again after an interruption still finds whom to delete. `name`: "" to
    forget only the names of the clusters. Raises CacheError.
    """
    person = faces_in(found)
    for hash_str in person.keys:
        delete_faces(cache, person, hash_str, is_over)
    names = {spoken(name)} if name else set()
    roots = {one.snapshot.name: set(one.roots) for one in found}
    for _ in range(_TRIES):  # a worker may publish a grouping that it had begun before
        there = [
            snapshot
            for snapshot in snapshots()
            if snapshot.name in roots or _is_in(snapshot, person)
        ]
        for snapshot in there:
            _forget(cache, snapshot, person, roots.get(snapshot.name, set()), names)
        if not any(_is_in(snapshot, person) for snapshot in snapshots()):
            break


def _is_in(snapshot: CollectionSnapshot, person: PersonFaces) -> bool:
    return bool(faces_of_person(snapshot.clustering, person).any())


def _forget(
    cache: CacheDir,
    snapshot: CollectionSnapshot,
    person: PersonFaces,
    roots: set[int],
    names: set[str],
) -> None:
    state = snapshot.state
    is_theirs = faces_of_person(state.clustering, person)
    emptied = set(state.faces[is_theirs].tolist()) - set(state.faces[~is_theirs].tolist())
    clusters = {id_ for root in (roots | emptied) & set(state.counts) for id_ in state.ids_of(root)}
    snapshot.collection.rewrite(
        partial(_regrouped, cache, person, clusters),
        lambda edit: without_mention(edit, person, clusters, names),
    )


def _regrouped(
    cache: CacheDir, person: PersonFaces, clusters: set[int], clustering: Clustering
) -> Clustering:
    return without_person(clustering, person, clusters, _rewritten(cache, person, clustering.model))


def _rewritten(
    cache: CacheDir, person: PersonFaces, model: str
) -> dict[str, tuple[str, NDArray[np.uint64]]]:
    """Name and keys of the artefacts of faces in which the person was."""
    found = {}
    for hash_str in person.keys:
        manifest = cache.manifest(hash_str, Stage.FACES, model)
        if manifest is not None:
            rows = read_faces(cache.data_path(hash_str, manifest), "seconds", "boxes")
            found[hash_str] = manifest.file, face_keys(rows["seconds"], rows["boxes"])
    return found
