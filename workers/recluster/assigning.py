"""New faces join the clusters there are, or make new ones together with faces that had none.

Nothing that was grouped is grouped again, so this costs new faces times (clusters + loose faces).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.people.clustering import NO_CLUSTER
from workers.recluster.people import join, large_enough, part, people
from workers.recluster.samples import choose_samples
from workers.recluster.tracks import find_tracks
from workers.recluster.types import Assigned, Embeddings, FaceSet, Known, Labels, Rule, Step
from workers.recluster.vectors import blocks, sound, sums_by_label, unit


def assign_faces(new: FaceSet, known: Known, rule: Rule, step: Step) -> Assigned:
    """Label new faces. Known clusters are never joined, which is for the next grouping of all."""
    labels = np.full(len(new), NO_CLUSTER, np.int32)
    loose_labels = np.full(len(known.loose), NO_CLUSTER, np.int32)
    formers = np.flatnonzero((new.marks == 0) & sound(new.embeddings))
    labels[formers] = _joined(new, formers, known, rule, part(step, 0, 0.4))
    rest = formers[labels[formers] == NO_CLUSTER]
    if len(rest):
        near = _near(new.embeddings[rest], known.loose, rule.person, step)
        own = _begun(new, rest, known.loose[near], rule, part(step, 0.5, 0.9))
        own[own != NO_CLUSTER] += len(known.means)
        labels[rest], loose_labels[near] = own[: len(rest)], own[len(rest) :]
    return _grown(new, known, (labels, loose_labels), rule, part(step, 0.9, 1))


def _next(numbers: NDArray[np.int32]) -> int:
    return int(numbers.max(initial=-1)) + 1


def _joined(
    new: FaceSet, formers: NDArray[np.intp], known: Known, rule: Rule, step: Step
) -> Labels:
    """[formers] the cluster that each one's track is nearest to, when near enough."""
    if not len(formers) or not len(known.means):
        return np.full(len(formers), NO_CLUSTER, np.int32)
    places = new.media_of[formers], new.seconds[formers]
    tracks, centres, _ = find_tracks(
        new.embeddings[formers], *places, rule.track, part(step, 0, 0.7)
    )
    every, placing = np.arange(len(centres)), part(step, 0.7, 1)
    return join(unit(centres), every, known.means, rule.newcomer, placing, known.lessons)[tracks]


def _near(rows: Embeddings, loose: Embeddings, cosine: float, step: Step) -> NDArray[np.intp]:
    near = np.zeros(len(loose), bool)
    wide = rows.astype(np.float32)
    for chosen in blocks(len(loose), len(rows)):
        step(0.4 + 0.1 * chosen.start / len(loose), "Comparing with faces of nobody")
        near[chosen] = (loose[chosen].astype(np.float32) @ wide.T).max(axis=1) >= cosine
    return np.flatnonzero(near)


def _begun(
    new: FaceSet, rest: NDArray[np.intp], loose: Embeddings, rule: Rule, step: Step
) -> Labels:
    """[rest + loose] the cluster that each one makes with others, when they are enough."""
    together = np.concatenate([new.embeddings[rest], loose])
    elsewhere = np.full(len(loose), _next(new.media_of), np.int32)
    media_of = np.concatenate([new.media_of[rest], elsewhere])
    seconds = np.concatenate([new.seconds[rest], np.arange(len(loose), dtype=np.uint32)])
    return large_enough(people(together, (media_of, seconds), rule, step), rule.min_samples)


def _grown(
    new: FaceSet, known: Known, joined: tuple[Labels, Labels], rule: Rule, step: Step
) -> Assigned:
    """The clusters afterwards. Marked faces look for theirs last, and change no mean."""
    labels, loose_labels = joined
    old = len(known.means)
    count = max(_next(labels), _next(loose_labels), old)
    both = np.concatenate(joined)
    embeddings = np.concatenate([new.embeddings, known.loose])
    sums = sums_by_label(embeddings, both, count)
    sums[:old] += known.means * known.sizes[:, None]
    means = unit(sums)
    sizes = np.bincount(both + 1, minlength=count + 1)[1:]
    sizes[:old] += known.sizes
    marked = np.flatnonzero(new.marks)
    labels[marked] = join(new.embeddings, marked, means, rule.marked, step, known.lessons)
    quality = np.concatenate([new.quality, np.zeros(len(known.loose), np.float32)])
    fresh = np.concatenate([labels, loose_labels]) - old
    return Assigned(
        labels=labels,
        loose_labels=loose_labels,
        means=means,
        sizes=sizes.astype(np.int32),
        samples=choose_samples(embeddings, quality, fresh, means[old:], step),
    )
