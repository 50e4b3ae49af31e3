"""What the grouping of faces takes and gives: plain arrays, no disk, no ids that last."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.models.specs import FaceScale

Step = Callable[[float, str], None]  # fraction done and what is done; raises to stop the work

Embeddings = NDArray[np.float16] | NDArray[np.float32]
Labels = NDArray[np.int32]  # 0..c-1, or NO_CLUSTER
Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceSet:
    """n faces of one model. Marked ones may join a cluster but never form one."""

    embeddings: Embeddings  # [n, dim] unit rows
    media_of: NDArray[np.int32]  # [n] number of the MediaFile
    seconds: NDArray[np.uint32]  # [n]
    marks: NDArray[np.uint8]  # [n] FaceMark
    quality: NDArray[np.float32]  # [n] higher: a better picture to show
    scores: NDArray[np.float32]  # [n] of the detector, 0 to 1

    def __len__(self) -> int:
        return len(self.embeddings)


@dataclass(frozen=True, slots=True)
class Rule:
    """The cosines from which on faces belong together, and how many faces make a person."""

    scale: FaceScale
    eps: float
    min_samples: int

    @property
    def track(self) -> float:
        """The least cosine between faces of one moment."""
        return max(self.scale.track, self.person)

    @property
    def person(self) -> float:
        """The least cosine between tracks of one person."""
        return self.scale.same_person(self.eps)

    @property
    def newcomer(self) -> float:
        """The least cosine between a track and the mean of the cluster that it joins later.

        Means are nearer to everybody than single tracks are. Measured on made-up people of whom
        half look like another one (cosine 0.6 to 0.7) and come later: at `person` 40 to 154 of
        540 faces joined the wrong one, at this power 9 to 23; of faces that come at random both
        place more than 99 % where a grouping of everything does.
        """
        return self._to_mean(0.8)

    @property
    def marked(self) -> float:
        """The least cosine between a marked face and the mean of the cluster that it joins.

        Measured likewise: 70 to 85 % of slightly spoilt faces come this near to their own
        mean, and no junk or stranger does (their nearest means are at half of it).
        """
        return self._to_mean(0.7)

    def _to_mean(self, power: float) -> float:
        """Stricter than `person`: its power, since that keeps 0 and 1 in place."""
        return float(max(self.person, 0.0) ** power)


@dataclass(frozen=True, slots=True)
class Examples:
    """Faces of a person, and faces that were taken out of that person by hand: unit rows."""

    taken_out: Rows  # [k, dim]
    own: Rows  # [s, dim] some of them


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is to be kept out of a person's clusters."""

    examples: Examples
    clusters: NDArray[np.intp]  # numbers


@dataclass(frozen=True, slots=True)
class Taught:
    """What moves by hand teach a grouping of everything."""

    was: NDArray[np.int32]  # [n] the person that each face was, NO_CLUSTER for new ones
    placed: NDArray[np.bool_]  # [n] by hand: they stay where they were put
    examples: Mapping[int, Examples]  # by person


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What new faces meet: the clusters there are, and the unmarked faces that are in none."""

    means: Rows  # [c, dim] unit rows
    sizes: NDArray[np.int32]  # [c] faces that made the mean
    loose: Embeddings  # [l, dim]
    lessons: Sequence[Lesson] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Clusters are ordered by size, the largest first."""

    labels: Labels  # [n]
    means: Rows  # [c, dim] unit rows, of the unmarked faces
    sizes: NDArray[np.int32]  # [c] unmarked faces: those that made the mean
    samples: NDArray[np.int32]  # [c, SAMPLES] faces, best first; -1: no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned(Groups):
    """Old clusters under their numbers, and behind them new ones.

    `samples` are of the new ones alone: new faces 0..n-1, loose faces n..n+l-1.
    """

    loose_labels: Labels  # [l] of formerly loose faces that joined now


_CELLS = 4_000_000  # of one block of a similarity matrix: 16 MB, about 50 ms of work
_SUMMED_ROWS = 8192


def unit(rows: Rows) -> Rows:
    """Rows of length 1; rows of zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Rows = rows / np.maximum(lengths, np.float32(1e-12))
    return scaled


def sound(embeddings: Embeddings) -> NDArray[np.bool_]:
    """[n] whether the row has a direction: no zeros only, nothing infinite or undefined."""
    found = np.empty(len(embeddings), bool)
    for start in range(0, len(embeddings), _SUMMED_ROWS):
        some = slice(start, start + _SUMMED_ROWS)
        lengths = np.linalg.norm(embeddings[some].astype(np.float32), axis=-1)
        found[some] = (lengths > 1e-6) & np.isfinite(lengths)
    return found


def blocks(rows: int, columns: int) -> Iterator[slice]:
    """Slices of the rows of a similarity matrix with that many columns."""
    size = min(max(_CELLS // max(columns, 1), 32), 1024)
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def sums_by_label(embeddings: Embeddings, labels: NDArray[np.integer], count: int) -> Rows:
    """[count, dim] sum of the rows of each label; rows with a negative label count nowhere."""
    sums = np.zeros((count, embeddings.shape[-1]), np.float32)
    order = np.argsort(labels, kind="stable")
    order = order[np.searchsorted(labels[order], 0) :]
    for start in range(0, len(order), _SUMMED_ROWS):
        chosen = order[start : start + _SUMMED_ROWS]
        own = labels[chosen]
        first = np.flatnonzero(np.diff(own, prepend=-1))
        rows = embeddings[chosen].astype(np.float32)
        sums[own[first]] += np.add.reduceat(rows, first, axis=0)
    return sums


def products(rows: Embeddings, chosen: NDArray[np.integer], means: Rows) -> NDArray[np.float32]:
    """[n] product of each row with the mean chosen for it."""
    found = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _SUMMED_ROWS):
        part = slice(start, start + _SUMMED_ROWS)
        found[part] = np.einsum("ij,ij->i", rows[part].astype(np.float32), means[chosen[part]])
    return found
