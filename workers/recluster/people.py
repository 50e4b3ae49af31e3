"""All faces of a Collection in groups, one a person: tracks first, then whoever is alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.people.clustering import NO_CLUSTER
from workers.recluster.lessons import keep_out, strangers
from workers.recluster.samples import choose_samples
from workers.recluster.tracks import find_tracks
from workers.recluster.types import (
    Embeddings,
    FaceSet,
    Groups,
    Labels,
    Lesson,
    Rows,
    Rule,
    Step,
    Taught,
)
from workers.recluster.vectors import blocks, products, sound, sums_by_label, unit
from workers.recluster.whispers import alike, whisper


def group_faces(faces: FaceSet, rule: Rule, step: Step, taught: Taught | None = None) -> Groups:
    """Groups of at least `rule.min_samples` unmarked faces. The same input has the same groups."""
    formers = np.flatnonzero((faces.marks == 0) & sound(faces.embeddings))
    embeddings = faces.embeddings if len(formers) == len(faces) else faces.embeddings[formers]
    places = faces.media_of[formers], faces.seconds[formers]
    own = people(embeddings, places, rule, part(step, 0, 0.9))
    labels = np.full(len(faces), NO_CLUSTER, np.int32)
    labels[formers] = large_enough(own, rule.min_samples)
    lessons = _learn(faces, formers, labels, taught, rule, step) if taught else ()
    count = int(labels.max(initial=NO_CLUSTER)) + 1
    sizes = np.bincount(labels[formers] + 1, minlength=count + 1)[1:].astype(np.int32)
    means = unit(sums_by_label(embeddings, labels[formers], count))
    marked = np.flatnonzero(faces.marks)
    placing = part(step, 0.9, 0.92)
    labels[marked] = join(faces.embeddings, marked, means, rule.marked, placing, lessons)
    samples = choose_samples(faces.embeddings, faces.quality, labels, means, part(step, 0.92, 1))
    return Groups(labels=labels, means=means, sizes=sizes, samples=samples)


def _learn(
    faces: FaceSet,
    formers: NDArray[np.intp],
    labels: Labels,
    taught: Taught,
    rule: Rule,
    step: Step,
) -> Sequence[Lesson]:
    """Part from their clusters, in `labels`, whom moves by hand have taught to keep out.

    They join others, or make people together with faces that are in no cluster.
    """
    out, lessons = strangers(faces, formers, labels, taught)
    if not len(out):
        return lessons
    labels[out] = NO_CLUSTER
    count = int(labels.max(initial=NO_CLUSTER)) + 1
    means = unit(sums_by_label(faces.embeddings[formers], labels[formers], count))
    placing = part(step, 0.9, 0.9)
    labels[out] = join(faces.embeddings, out, means, rule.newcomer, placing, lessons)
    loose = formers[labels[formers] == NO_CLUSTER]
    places = faces.media_of[loose], faces.seconds[loose]
    found = people(faces.embeddings[loose], places, rule, placing)
    with_them = np.isin(found, found[np.isin(loose, out)])
    own = large_enough(np.where(with_them, found, NO_CLUSTER), rule.min_samples)
    labels[loose] = np.where(own == NO_CLUSTER, NO_CLUSTER, own + count)
    return lessons


def people(
    embeddings: Embeddings,
    places: tuple[NDArray[np.int32], NDArray[np.uint32]],
    rule: Rule,
    step: Step,
) -> Labels:
    """A label for each face, also for those that are alone. `places`: MediaFile and second."""
    if not len(embeddings):
        return np.empty(0, np.int32)
    track_of, centres, weights = find_tracks(embeddings, *places, rule.track, part(step, 0, 0.5))
    rows = unit(centres)
    graph = alike(rows, rule.person, part(step, 0.5, 0.8))
    found = whisper(graph, part(step, 0.8, 1))
    return _without_strays(rows, weights, found, rule.person)[track_of]


def _without_strays(
    rows: Rows, weights: NDArray[np.float32], labels: Labels, cosine: float
) -> Labels:
    """Sets tracks apart that are farther from their cluster's mean than two alike ones may be."""
    count = int(labels.max()) + 1
    means = unit(sums_by_label(rows * weights[:, None], labels, count))
    strays = np.flatnonzero(products(rows, labels, means) < np.float32(cosine))
    labels[strays] = count + np.arange(len(strays))
    return labels


def large_enough(labels: Labels, min_samples: int) -> Labels:
    """Numbers the labels that enough faces have, the most frequent first; others are NO_CLUSTER."""
    found, first, place, sizes = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    sizes = np.where(found == NO_CLUSTER, 0, sizes)
    order = np.lexsort((first, -sizes))
    order = order[sizes[order] >= max(min_samples, 1)]
    number = np.full(len(found), NO_CLUSTER, np.int32)
    number[order] = np.arange(len(order))
    return number[place]


def join(
    embeddings: Embeddings,
    chosen: NDArray[np.intp],
    means: Rows,
    cosine: float,
    step: Step,
    lessons: Sequence[Lesson] = (),
) -> Labels:
    """[chosen] the cluster whose mean is nearest of those it may join, when near enough."""
    labels = np.full(len(chosen), NO_CLUSTER, np.int32)
    if not len(means):
        return labels
    for some in blocks(len(chosen), len(means)):
        step(some.start / len(chosen), "Placing faces")
        rows = embeddings[chosen[some]].astype(np.float32)
        cosines = rows @ means.T
        keep_out(cosines, rows, lessons)
        best = cosines.argmax(axis=1)
        near = cosines[np.arange(len(best)), best] >= np.float32(cosine)
        labels[some] = np.where(near, best, NO_CLUSTER)
    return labels


def part(step: Step, start: float, end: float) -> Step:
    """A step that reports its fraction between start and end."""
    return lambda fraction, message: step(start + (end - start) * fraction, message)
