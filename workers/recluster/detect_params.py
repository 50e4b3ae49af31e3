"""Finds eps and min_samples for a Collection from its own faces, with hdbscan.

hdbscan's tree of the track means tells which clusters each distance has and how long each lasts
while the distance changes. A cut of that tree at one distance is DBSCAN*, whose eps is 1 / lambda
at the cut (Campello, Moulavi and Sander, "Density-Based Clustering Based on Hierarchical Density
Estimates", PAKDD 2013). What hdbscan maximises is the total stability of clusters, their excess of
mass (there, and in "Hierarchical Density Estimates for Data Clustering, Visualization, and Outlier
Detection", TKDD 10 (1), 2015). We take the middle of the range of cuts that have nearly all that
one cut can have: around it the clusters are steady.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.models.specs import DEFAULT_EPS, FaceScale
from shared.process import traces
from workers.recluster.tracks import find_tracks
from workers.recluster.types import FaceSet, Rows, Step, blocks, sound, unit

_LEAST_TRACKS = 200  # of 120 real ones the eps was off by 0.3 at times, of 300 by less than 0.1
_MOST_FACES = 30_000
_RUN = 64  # faces one after the other
_MOST_TRACKS = 3000  # a square matrix of 72 MB, of which hdbscan makes a few; under a second
_EPS = np.arange(DEFAULT_EPS / 2, DEFAULT_EPS * 2, 0.01)  # where it may be
_NEARLY = 0.95  # of the greatest total stability
_MIN_SAMPLES = range(2, 6)
_FACES_LEFT = 0.05  # of those in clusters may fall out of them by min_samples


@traces.stage("detect parameters")
def detect_params(faces: FaceSet, scale: FaceScale, step: Step) -> tuple[float, int]:
    """(eps, min_samples); the default eps when there are too few faces to tell."""
    formers = np.flatnonzero((faces.marks == 0) & sound(faces.embeddings))
    # A sample of faces from everywhere, each with its neighbours, so that tracks stay whole.
    every = max(-(-len(formers) // _MOST_FACES), 1)
    some = formers[np.arange(len(formers)) // _RUN % every == 0]
    if len(some) < _LEAST_TRACKS:
        return DEFAULT_EPS, _MIN_SAMPLES[0]
    places = faces.media_of[some], faces.seconds[some]
    _, centres, weights = find_tracks(
        faces.embeddings[some], *places, scale.track, lambda done, said: step(0.7 * done, said)
    )
    chosen = np.linspace(0, len(centres) - 1, min(len(centres), _MOST_TRACKS)).astype(np.intp)
    if len(chosen) < _LEAST_TRACKS:
        return DEFAULT_EPS, _MIN_SAMPLES[0]
    tree = _tree(unit(centres[chosen]), step)
    distances = np.sqrt(np.maximum(2 - 2 * np.array([scale.same_person(e) for e in _EPS]), 0))
    best = _best_cut(_stabilities(tree.condensed_tree_.to_numpy(), distances))
    labels = tree.single_linkage_tree_.get_clusters(distances[best], min_cluster_size=2)
    sizes = np.bincount(labels + 1, weights[chosen])[1:]
    looked_at = len(some) / len(formers) * len(chosen) / len(centres)
    return round(float(_EPS[best]), 2), _min_samples(sizes / looked_at)


def _tree(rows: Rows, step: Step) -> Any:
    import hdbscan

    distances = np.empty((len(rows), len(rows)))
    for part in blocks(len(rows), len(rows)):
        step(0.7 + 0.2 * part.start / len(rows), "Comparing faces")
        distances[part] = np.sqrt(np.maximum(2 - 2 * (rows[part] @ rows.T), 0))
    np.fill_diagonal(distances, 0)
    step(0.9, "Finding parameters")
    return hdbscan.HDBSCAN(metric="precomputed", min_cluster_size=2, min_samples=1).fit(distances)


def _stabilities(tree: NDArray[np.void], distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """[distances] total stability of the clusters of a condensed tree that a cut at each one has.

    Without the tree's root: lambda is 1 / distance.
    """
    lambdas = tree["lambda_val"].astype(np.float64)
    finite = np.isfinite(lambdas)  # equal rows part at distance 0
    lambdas[~finite] = lambdas[finite].max(initial=1.0)
    root = tree["parent"].min()
    parent, child = tree["parent"] - root, tree["child"] - root
    births, deaths, stabilities = np.zeros((3, int(parent.max()) + 1))
    inner = child >= 0
    births[child[inner]] = lambdas[inner]
    np.maximum.at(deaths, parent, lambdas)
    np.add.at(stabilities, parent, (lambdas - births[parent]) * tree["child_size"])
    at = 1 / np.maximum(distances, 1e-6)[:, None]
    alive = (births[1:] < at) & (at <= deaths[1:])
    total: NDArray[np.float64] = alive @ stabilities[1:]
    return total


def _best_cut(totals: NDArray[np.float64]) -> int:
    """Index of the eps; the default one where no cut has any cluster."""
    if totals.max() <= 0:
        return int(np.abs(_EPS - DEFAULT_EPS).argmin())
    enough = totals >= _NEARLY * totals.max()
    strict = loose = int(totals.argmax())
    while strict > 0 and enough[strict - 1]:
        strict -= 1
    while loose < len(totals) - 1 and enough[loose + 1]:
        loose += 1
    return (strict + loose) // 2


def _min_samples(sizes: NDArray[np.float64]) -> int:
    """The most that leaves nearly all faces in their clusters: videos bear more than photos do."""
    for most in reversed(_MIN_SAMPLES):
        if sizes[sizes < most].sum() <= _FACES_LEFT * sizes.sum():
            return most
    return _MIN_SAMPLES[0]
