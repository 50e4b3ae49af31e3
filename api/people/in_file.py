"""Who is to be seen in one file."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from api.people.snapshot import CollectionSnapshot
from shared.cache.faces import seconds_of
from shared.people.clustering import NO_CLUSTER


class SeenPerson(NamedTuple):
    """A cluster of a Collection in a file: on how many seconds, and on which one first."""

    collection: str
    cluster_id: int
    name: str | None
    seconds: int
    first: int


def people_in(snapshot: CollectionSnapshot, hash_str: str) -> list[SeenPerson]:
    """Clusters with faces in a file, those that are seen longest first."""
    clustering, state = snapshot.clustering, snapshot.state
    if hash_str not in clustering.media:
        return []
    here = np.flatnonzero(clustering.media_of == clustering.media.index(hash_str))
    roots, seconds = state.faces[here], seconds_of(clustering.keys[here])
    found = []
    for root in np.unique(roots).tolist():
        if root != NO_CLUSTER:
            shown = np.unique(seconds[roots == root])
            name = state.names.get(root)
            found.append(SeenPerson(snapshot.name, root, name, len(shown), int(shown[0])))
    return sorted(found, key=lambda one: (-one.seconds, one.cluster_id))
