"""Made-up face embeddings with known people, and how well a grouping agrees with the truth.

People have very unequal numbers of faces, up to six looks each (pose, age, light), and shots of
near-identical faces; some are look-alikes. A part is junk: detections of nobody, a third of which
resemble each other as blurred faces do. Harder kinds have faces that vary more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shared.cache.faces import FaceMark
from workers.recluster.types import FaceSet

SPREAD = {"easy": 0.75, "mid": 0.95, "hard": 1.2}  # of one person's shots
PERSON = {"easy": 0.40, "mid": 0.35, "hard": 0.32}  # the cosine that fits each kind
TRACK = 0.8
JUNK = -1
_JUNK_PART = 0.08
_SHOT = 4  # faces, on average
_LARGEST = 4000  # faces of a person against the rarest one's


@dataclass(frozen=True)
class MadeFaces:
    faces: FaceSet
    people: NDArray[np.int32]  # [n] who it is, JUNK for nobody

    def __len__(self) -> int:
        return len(self.people)

    def take(self, chosen: NDArray[np.intp]) -> MadeFaces:
        names = ("embeddings", "media_of", "seconds", "marks", "quality", "scores")
        arrays = {name: getattr(self.faces, name)[chosen] for name in names}
        return MadeFaces(FaceSet(**arrays), self.people[chosen])

    def with_marked_junk(self) -> MadeFaces:
        marks = np.where(self.people == JUNK, FaceMark.BLURRED, 0).astype(np.uint8)
        return replace(self, faces=replace(self.faces, marks=marks))


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


class _Maker:
    """Draws vectors whose first dimensions vary most, as those of real models do."""

    def __init__(self, dim: int, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        spectrum = (np.arange(1, dim + 1) ** -0.25).astype(np.float32)
        self._spectrum = spectrum / np.linalg.norm(spectrum)

    def rows(self, count: int) -> NDArray[np.float32]:
        """Of length 1 on average."""
        dim = len(self._spectrum)
        return self.random.standard_normal((count, dim), dtype=np.float32) * self._spectrum

    def counts(self, faces: int, people: int) -> NDArray[np.int64]:
        shares = self.random.zipf(1.6, people).clip(1, _LARGEST).astype(float)
        counts = np.maximum(1, np.round(shares / shares.sum() * faces)).astype(int)
        while counts.sum() > faces:  # everybody has a face, at the cost of who has most
            counts[counts.argmax()] -= min(counts.sum() - faces, counts.max() - 1)
        counts[counts.argmax()] += faces - counts.sum()
        return counts

    def identities(self, people: int) -> NDArray[np.float32]:
        """A tenth of them look alike in pairs."""
        rows = unit(self.rows(people))
        for first in range(0, people // 20 * 2, 2):
            rows[first + 1] = unit(rows[first] * 0.45 + rows[first + 1] * 0.89)
        return rows

    def person(
        self, identity: NDArray[np.float32], count: int, spread: float
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Faces of one person, and which shot each one is of."""
        looks = self.rows(min(1 + count // 25, 6)) * 0.55
        shot_of = np.cumsum(self.random.random(count) < 1 / _SHOT)
        shots = shot_of[-1] + 1
        poorness = spread * np.exp(self.random.standard_normal(shots) * 0.25).astype(np.float32)
        shot = identity + looks[self.random.integers(0, len(looks), shots)]
        shot += self.rows(shots) * poorness[:, None]
        return unit(shot[shot_of] + self.rows(count) * 0.25), shot_of

    def junk(self, count: int) -> NDArray[np.float32]:
        common = unit(self.rows(1))
        blur = np.where(self.random.random((count, 1)) < 0.3, 0.8, 0.2).astype(np.float32)
        return unit(unit(self.rows(count)) + common * blur)


def make_faces(
    count: int, people: int, *, kind: str = "mid", seed: int = 0, dim: int = 512, files: int = 1
) -> MadeFaces:
    """In random order when there is one file, else by file and second, shots whole."""
    maker = _Maker(dim, seed)
    real = int(count * (1 - _JUNK_PART))
    counts = maker.counts(real, people)
    rows, shots, begun = [], [], 0
    for identity, own in zip(maker.identities(people), counts, strict=True):
        faces, shot_of = maker.person(identity, own, SPREAD[kind])
        rows.append(faces.astype(np.float16))
        shots.append(shot_of + begun)
        begun += shot_of[-1] + 1
    junk = count - real
    rows.append(maker.junk(junk).astype(np.float16))
    shots.append(np.arange(junk) + begun)
    who = np.concatenate([np.repeat(np.arange(people), counts), np.full(junk, JUNK)])
    return _placed(maker.random, np.concatenate(rows), who, np.concatenate(shots), files)


def _placed(
    random: np.random.Generator,
    rows: NDArray[np.float16],
    people: NDArray[np.int64],
    shots: NDArray[np.int64],
    files: int,
) -> MadeFaces:
    """Puts shots into files."""
    count = len(rows)
    if files == 1:
        order = random.permutation(count)
        media_of, seconds = np.zeros(count), np.arange(count)
    else:
        file_of, second_of = random.integers(0, files, count), random.integers(0, 3600, count)
        order = np.lexsort((second_of[shots], file_of[shots]))
        media_of, seconds = file_of[shots][order], second_of[shots][order]
    faces = FaceSet(
        embeddings=rows[order],
        media_of=media_of.astype(np.int32),
        seconds=seconds.astype(np.uint32),
        marks=np.zeros(count, np.uint8),
        quality=random.random(count, dtype=np.float32),
        scores=np.ones(count, np.float32),
    )
    return MadeFaces(faces, people[order].astype(np.int32))


@dataclass(frozen=True)
class Agreement:
    """Over pairs of faces, and over faces (BCubed). Junk and faces of nobody count as alone."""

    pair_precision: float
    pair_recall: float
    precision: float
    recall: float

    @property
    def pair_f1(self) -> float:
        return _f1(self.pair_precision, self.pair_recall)

    @property
    def f1(self) -> float:
        return _f1(self.precision, self.recall)


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / max(precision + recall, 1e-12)


def agreement(truth: NDArray[np.integer], found: NDArray[np.integer]) -> Agreement:
    truth, found = _alone(truth), _alone(found)
    pairs = truth.astype(np.int64) * len(found) + found
    _, pair_of, overlap = np.unique(pairs, return_inverse=True, return_counts=True)
    true_sizes, found_sizes = np.bincount(truth), np.bincount(found)
    both = _pairs(overlap)
    return Agreement(
        pair_precision=both / max(_pairs(found_sizes), 1),
        pair_recall=both / max(_pairs(true_sizes), 1),
        precision=float((overlap[pair_of] / found_sizes[found]).mean()),
        recall=float((overlap[pair_of] / true_sizes[truth]).mean()),
    )


def _alone(labels: NDArray[np.integer]) -> NDArray[np.intp]:
    """0..c-1; each negative label becomes one of its own."""
    wide = labels.astype(np.int64)
    lonely = np.flatnonzero(wide < 0)
    wide[lonely] = wide.max(initial=-1) + 1 + np.arange(len(lonely))
    return np.unique(wide, return_inverse=True)[1]


def _pairs(sizes: NDArray[np.integer]) -> int:
    return int((sizes * (sizes - 1) // 2).sum())
