"""Which tracks are alike, and Chinese whispers over that graph: level 2's two halves.

Chinese whispers (Biemann, 2006): every node starts with a label of its own and then, round by
round in random order, takes the label that has most weight among its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.recluster.types import Rows, Step
from workers.recluster.vectors import blocks

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
    edges = np.concatenate(lower), np.concatenate(upper)
    return _both_ways(len(rows), edges, np.concatenate(weights), step)


def _both_ways(
    nodes: int,
    edges: tuple[NDArray[np.int32], NDArray[np.int32]],
    weights: NDArray[np.uint16],
    step: Step,
) -> NeighbourGraph:
    lower, upper = edges
    ends = np.concatenate([lower, upper])
    order = np.argsort(ends, kind="stable")
    step(1, "Comparing faces")
    starts = np.concatenate([[0], np.cumsum(np.bincount(ends, minlength=nodes))])
    neighbours = np.concatenate([upper, lower])[order]
    step(1, "Comparing faces")
    return NeighbourGraph(starts, neighbours, np.concatenate([weights, weights])[order])


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
    """[nodes] label of each node, 0..c-1. The same graph has the same labels every time."""
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
