"""All faces of a Collection in groups, one a person: tracks first, then whoever is alike.

Moves by hand teach: faces like one that was taken out of a person stay out, too. A face is kept
out of a person when it is nearer to one of those that were taken out than to any of a few of the
person's own, and than to the person's mean, which is nearer to everybody than single faces are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.people.clustering import GONE, NO_CLUSTER, SAMPLES
from shared.people.state import PeopleState, taken_out
from workers.recluster.homes import known_places
from workers.recluster.loading import LoadedFaces
from workers.recluster.tracks import find_tracks
from workers.recluster.types import (
    Assigned,
    Embeddings,
    Examples,
    FaceSet,
    Groups,
    Known,
    Labels,
    Lesson,
    Rows,
    Rule,
    Step,
    Taught,
    blocks,
    products,
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


_ROUNDS = 12
_SEED = 0
_EDGES = 12_000_000  # 600 MB while they are sorted; of more, an even choice is kept
_LEAST_EDGES = 64  # of a node, however many nodes there are
_LEVELS = 255  # cosines are rounded, so that sums of weights are exact and ties are ties
_AT_ONCE = 1 / 64  # of all nodes decide together; more would let pairs swap labels for ever
_VOTES = 4_000_000


@dataclass(frozen=True, slots=True)
class NeighbourGraph:
    """Each node's neighbours, as compressed rows."""

    starts: NDArray[np.int64]  # [nodes + 1]
    neighbours: NDArray[np.int32]
    weights: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.starts) - 1


def alike(rows: Rows, cosine: float, step: Step) -> NeighbourGraph:
    """Links rows (unit) whose cosine is at least that high; weights are squares of cosines."""
    most = max(_EDGES // max(len(rows), 1), _LEAST_EDGES)
    lower, upper = [np.empty(0, np.int32)], [np.empty(0, np.int32)]
    weights = [np.empty(0, np.uint16)]
    for part in blocks(len(rows), len(rows)):
        step(part.start / len(rows), "Comparing faces")
        cosines = rows[part] @ rows[part.start :].T  # every pair once
        at, to = np.nonzero(np.triu(cosines >= np.float32(cosine), 1))
        kept = _thinned(at, len(cosines), most)
        at, to = at[kept], to[kept]
        level = np.clip(np.rint(cosines[at, to] * _LEVELS), 1, _LEVELS).astype(np.uint16)
        lower.append((at + part.start).astype(np.int32))
        upper.append((to + part.start).astype(np.int32))
        weights.append(level * level)
    ends = np.concatenate([*lower, *upper])  # both ways
    order = np.argsort(ends, kind="stable")
    step(1, "Comparing faces")
    starts = np.concatenate([[0], np.cumsum(np.bincount(ends, minlength=len(rows)))])
    neighbours = np.concatenate([*upper, *lower])[order]
    step(1, "Comparing faces")
    return NeighbourGraph(starts, neighbours, np.concatenate([*weights, *weights])[order])


def _thinned(at: NDArray[np.intp], nodes: int, most: int) -> NDArray[np.bool_] | slice:
    """Which edges to keep: at most `most` of each node, evenly chosen. `at` is ascending."""
    degrees = np.bincount(at, minlength=nodes)
    if degrees.max(initial=0) <= most:
        return slice(None)
    place = np.arange(len(at)) - np.repeat(np.cumsum(degrees) - degrees, degrees)
    of = degrees[at]
    kept: NDArray[np.bool_] = (of <= most) | (place * most // of != (place + 1) * most // of)
    return kept


def whisper(graph: NeighbourGraph, step: Step) -> NDArray[np.int32]:
    """[nodes] label of each node, 0..c-1. The same graph has the same labels every time.

    Chinese whispers (Biemann, 2006): every node starts with a label of its own and then, round by
    round in random order, takes the label that has most weight among its neighbours.
    """
    labels = np.arange(len(graph), dtype=np.int32)
    random = np.random.default_rng(_SEED)
    for round_ in range(_ROUNDS):
        order = random.permutation(len(graph))
        present, place = np.unique(labels, return_inverse=True)
        labels = place.astype(np.int32)
        changed, done = 0, 0
        while done < len(order):
            step((round_ + done / len(order)) / _ROUNDS, "Grouping people")
            most = min(len(order) * _AT_ONCE, _VOTES / len(present))
            nodes = order[done : done + max(int(most), 1)]
            heard = _loudest(graph, labels, nodes)
            changed += int(np.count_nonzero(labels[nodes] != heard))
            labels[nodes] = heard
            done += len(nodes)
        if not changed:
            break
    return np.unique(labels, return_inverse=True)[1].astype(np.int32)


def _loudest(
    graph: NeighbourGraph, labels: NDArray[np.int32], nodes: NDArray[np.int64]
) -> NDArray[np.int32]:
    """[nodes] the label with most weight around each; its own when it is as loud."""
    starts, lengths = graph.starts[nodes], graph.starts[nodes + 1] - graph.starts[nodes]
    before = np.cumsum(lengths) - lengths
    edges = np.arange(lengths.sum()) + np.repeat(starts - before, lengths)
    if not len(edges):
        return labels[nodes]
    around = labels[graph.neighbours[edges]]
    known = np.zeros(len(graph), bool)
    known[around] = True
    present, place = np.flatnonzero(known), np.cumsum(known) - 1
    at = np.repeat(np.arange(len(nodes)), lengths) * len(present) + place[around]
    votes = np.bincount(at, graph.weights[edges], len(nodes) * len(present))
    votes = votes.reshape(len(nodes), len(present))
    best = votes.argmax(axis=1)
    loudest = votes[np.arange(len(nodes)), best]
    mine = labels[nodes]
    owned = np.where(known[mine], votes[np.arange(len(nodes)), place[mine]], 0)
    return np.where(owned >= loudest, mine, present[best]).astype(np.int32)


_LOOKED_AT = 256  # clearest faces of a cluster among which the different ones are chosen
_TYPICAL = 0.5  # part of the clearer faces, by nearness to the mean, from which the first comes


def choose_samples(
    embeddings: Embeddings,
    quality: NDArray[np.float32],
    labels: Labels,
    means: Rows,
    step: Step,
) -> NDArray[np.int32]:
    """[clusters, SAMPLES] faces, best first; -1: no more."""
    chosen = np.full((len(means), SAMPLES), -1, np.int32)
    # By label, then quality downwards, then place: the same input has the same samples.
    order = np.lexsort((-quality, labels))
    borders = np.searchsorted(labels[order], np.arange(len(means) + 1))
    for cluster, (start, end) in enumerate(pairwise(borders)):
        if cluster % 64 == 0:
            step(cluster / len(means), "Choosing samples")
        clear = order[start : start + min((end - start + 1) // 2, _LOOKED_AT)]
        if len(clear) < SAMPLES:  # small clusters show what they have
            clear = order[start : min(start + SAMPLES, end)]
        found = _different(embeddings[clear].astype(np.float32), means[cluster])
        chosen[cluster, : len(found)] = clear[found]
    return chosen


def _different(rows: Rows, mean: Rows) -> list[int]:
    """Up to SAMPLES rows, clearest first in `rows`: one near the mean, then the farthest ones."""
    if not len(rows):
        return []
    typical = products(rows, np.zeros(len(rows), np.intp), unit(mean[None]))
    found = [int(np.flatnonzero(typical >= np.quantile(typical, 1 - _TYPICAL))[0])]
    nearest = rows @ rows[found[0]]
    while len(found) < min(SAMPLES, len(rows)):
        nearest[found] = np.inf
        found.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, rows @ rows[found[-1]])
    return found


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
    labels = whisper(graph, part(step, 0.8, 1))
    # Tracks that are farther from their cluster's mean than two alike ones may be are alone.
    count = int(labels.max()) + 1
    means = unit(sums_by_label(rows * weights[:, None], labels, count))
    strays = np.flatnonzero(products(rows, labels, means) < np.float32(rule.person))
    labels[strays] = count + np.arange(len(strays))
    return labels[track_of]


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


def assign_faces(new: FaceSet, known: Known, rule: Rule, step: Step) -> Assigned:
    """Label new faces: they join the known clusters, or make new ones with `known.loose`.

    Known clusters are never joined, which is for the next grouping of all: this costs new faces
    times (clusters + loose faces).
    """
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
