"""Whom reference photos show in a grouping: derived each time, so that nothing can be outdated."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shared.people.clustering import Clustering
from shared.people.enrolment import NOBODY, KnownPeople
from shared.people.names import spoken

_FARTHER = 1.5  # than a person's nearest cluster another one may be; measured with `least`
_AT_ONCE = 8192  # rows
_HIGHEST_ID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Recognised:
    """Clusters and loose faces of one Clustering that are those of enrolled people."""

    known: KnownPeople = NOBODY
    clusters: Mapping[int, tuple[int, float]] = field(default_factory=dict)  # person, cosine
    # Faces in no cluster belong to people, too, however few they are.
    faces: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    at: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))  # in `loose`
    who: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    cosines: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    own_ids: Mapping[int, int] = field(default_factory=dict)  # of those people, by person


def recognise(clustering: Clustering, known: KnownPeople) -> Recognised:
    """Everybody whose references are near enough. Vectors of two models never meet."""
    dim = known.rows.shape[1]
    means = clustering.means if clustering.means.shape[1] == dim else np.zeros((0, dim), "f4")
    loose = clustering.loose_embeddings
    if not known.names or known.model != clustering.model or loose.shape[1] not in (0, dim):
        return Recognised()
    clusters = _clusters(clustering, known, means)
    who, cosines = np.full(len(loose), -1, np.intp), np.zeros(len(loose), np.float32)
    for start in range(0, len(loose), _AT_ONCE):
        likeness = known.likeness(loose[start : start + _AT_ONCE])
        nearest = likeness.argmax(axis=1)
        best = likeness[np.arange(len(likeness)), nearest]
        cosines[start : start + _AT_ONCE] = best
        who[start : start + _AT_ONCE] = np.where(best >= known.least, nearest, -1)
    found = np.flatnonzero((who >= 0) & (clustering.loose >= 0))
    return Recognised(
        known=known,
        clusters=clusters,
        faces=clustering.loose[found],
        at=found,
        who=who[found],
        cosines=cosines[found],
        own_ids=_own_ids(clustering, known, clusters, np.unique(who[found])),
    )


def enrolled_id(name: str) -> int:
    """The id of the faces in no cluster of an enrolled person, unless another one has it."""
    digest = hashlib.sha256(f"person:{spoken(name)}".encode()).digest()
    return int.from_bytes(digest[:4], "big") & _HIGHEST_ID


def _clusters(
    clustering: Clustering, known: KnownPeople, means: NDArray[np.float32]
) -> dict[int, tuple[int, float]]:
    """Of each recognised cluster the person and the cosine.

    A double's cluster may be near enough as well, but not as near as the person's own.
    """
    if not len(means):
        return {}
    likeness = known.likeness(means)
    nearest = likeness.max(axis=0)
    fits = (likeness >= known.least) & (1 - likeness <= _FARTHER * (1 - nearest))
    best = np.where(fits, likeness, -1).argmax(axis=1)
    return {
        int(clustering.cluster_ids[row]): (int(best[row]), float(likeness[row, best[row]]))
        for row in np.flatnonzero(fits.any(axis=1)).tolist()
    }


def _own_ids(
    clustering: Clustering,
    known: KnownPeople,
    clusters: Mapping[int, tuple[int, float]],
    people: NDArray[np.intp],
) -> dict[int, int]:
    """An id for each person's faces in no cluster: everywhere the same, and no other person's."""
    taken = set(clustering.cluster_ids.tolist())
    found: dict[int, int] = {}
    for person in people.tolist():
        number = enrolled_id(known.names[person])
        while number == 0 or (number in taken and clusters.get(number, (-1,))[0] != person):
            number = (number + 1) & _HIGHEST_ID
        found[person] = number
        taken.add(number)
    return found
