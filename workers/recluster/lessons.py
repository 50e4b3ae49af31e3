"""What moves by hand teach: faces like one that was taken out of a person stay out, too.

A face is kept out of a person when it is nearer to one of those that were taken out than to any of
a few of the person's own, and than to the person's mean, which is nearer to everybody than single
faces are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.people.clustering import NO_CLUSTER, SAMPLES
from shared.people.face_index import GONE
from shared.people.state import PeopleState, taken_out
from workers.recluster.homes import known_places
from workers.recluster.loading import LoadedFaces
from workers.recluster.types import (
    Examples,
    FaceSet,
    Labels,
    Lesson,
    Rows,
    Taught,
    sound,
    sums_by_label,
    unit,
)

# The power of the cosine with the mean that makes it one with a single face. Measured on made-up
# doubles and on photos of 28 people of whom one picture was taken out: with 16 own faces besides
# the mean 98 % of the doubles stay out, and 9 % of a person's own, the near-duplicates of that
# picture; with the mean alone it was 28 %.
_TO_MEAN = 1.25


def keep_out(cosines: NDArray[np.float32], rows: Rows, lessons: Sequence[Lesson]) -> None:
    """Set the cosines [n, clusters] of rows with clusters that they must not join to -1."""
    for lesson in lessons:
        to_means = cosines[:, lesson.clusters]
        nearer = _are_nearer(rows, lesson.examples, to_means)
        cosines[:, lesson.clusters] = np.where(nearer, -1, to_means)


def _are_nearer(rows: Rows, examples: Examples, to_means: NDArray[np.float32]) -> NDArray[np.bool_]:
    """[n, clusters] whether rows are nearer to what was taken out than to the person."""
    to_taken_out = (rows @ examples.taken_out.T).max(axis=1, keepdims=True)
    to_own = (rows @ examples.own.T).max(axis=1, keepdims=True, initial=-1)
    nearer: NDArray[np.bool_] = to_taken_out > np.maximum(
        to_own, np.maximum(to_means, 0) ** _TO_MEAN
    )
    return nearer


def taught_by(state: PeopleState, loaded: LoadedFaces) -> Taught:
    """The lessons of a state, as far as the faces that teach are among the loaded ones."""
    at = known_places(state.clustering, loaded.table)
    known = at != GONE
    was, placed = np.full(len(at), NO_CLUSTER, np.int32), np.zeros(len(at), bool)
    was[known] = state.faces[at[known]]
    placed[known] = (state.overlap_labels != state.clustering.labels)[at[known]]
    usable = sound(loaded.faces.embeddings)

    def rows_of(faces: ArrayLike) -> Rows:
        here = np.flatnonzero(np.isin(at, faces) & usable)
        return unit(loaded.faces.embeddings[here].astype(np.float32))

    faces, roots = taken_out(state)
    examples = {}
    for root in np.unique(roots).tolist():
        out = rows_of(faces[roots == root])
        if len(out):
            examples[root] = Examples(out, rows_of(state.samples_of(root, SAMPLES)))
    return Taught(was, placed, examples)


def teaching(state: PeopleState) -> set[str]:
    """MediaFiles with the faces that teach."""
    faces, roots = taken_out(state)
    own = [face for root in np.unique(roots).tolist() for face in state.samples_of(root, SAMPLES)]
    media_of = state.clustering.media_of[[*faces.tolist(), *own]]
    return {state.clustering.media[number] for number in media_of.tolist()}


def lessons_for(state: PeopleState, taught: Taught) -> list[Lesson]:
    ids = state.clustering.cluster_ids.tolist()
    roots = np.array([state.root(id_) or id_ for id_ in ids], np.int32)
    return [
        Lesson(examples, np.flatnonzero(roots == root))
        for root, examples in taught.examples.items()
    ]


def strangers(
    faces: FaceSet, formers: NDArray[np.intp], labels: Labels, taught: Taught
) -> tuple[NDArray[np.intp], list[Lesson]]:
    """Formers that are in a cluster and must not be, and the lessons for these clusters.

    Who was the person before stays: users had the choice to take them out.
    """
    out = [np.zeros(0, np.intp)]
    lessons = []
    for root, examples in taught.examples.items():
        clusters = _clusters_of(root, labels[formers], taught.was[formers])
        for cluster in clusters.tolist():
            inside = formers[labels[formers] == cluster]
            is_own = taught.was[inside] == root
            own = faces.embeddings[inside[is_own]]
            mean = unit(sums_by_label(own, np.zeros(len(own), np.intp), 1))
            others = inside[~is_own & ~taught.placed[inside]]
            rows = faces.embeddings[others].astype(np.float32)
            out.append(others[_are_nearer(rows, examples, rows @ mean.T)[:, 0]])
        lessons.append(Lesson(examples, clusters))
    return np.unique(np.concatenate(out)), lessons


def _clusters_of(root: int, labels: Labels, was: NDArray[np.int32]) -> NDArray[np.intp]:
    """Clusters most of whose faces that were anybody were this person."""
    count = int(labels.max(initial=NO_CLUSTER)) + 1
    grouped = labels != NO_CLUSTER
    own = np.bincount(labels[grouped & (was == root)], minlength=count)
    anybody = np.bincount(labels[grouped & (was != NO_CLUSTER)], minlength=count)
    return np.flatnonzero(own * 2 > anybody)
