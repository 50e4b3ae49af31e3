"""One grouping of a Collection's faces, as published: which face belongs to which cluster."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shared.models.specs import DEFAULT_EPS, DEFAULT_MIN_SAMPLES

NO_CLUSTER = -1  # the label of faces that belong to nobody
SAMPLES = 16  # faces kept ready to be shown for each cluster


@dataclass(frozen=True, slots=True)
class Memory:
    """Home of each face that was ever grouped: the id that its person got when it was new.

    Faces are ordered by (media, key). While people are thrown together, or are too few for
    `min_samples`, homes stay; so their ids can come back, with all that was said about them.
    MediaFiles stay whose faces another model has yet to find.
    """

    media: tuple[str, ...]  # hash_str, ascending
    media_of: NDArray[np.int32]  # [h] index into media, ascending
    keys: NDArray[np.uint64]  # [h] ascending within a MediaFile
    homes: NDArray[np.int32]  # [h] cluster id, or NO_CLUSTER

    @classmethod
    def empty(cls) -> Memory:
        ints = np.zeros(0, np.int32)
        return cls((), ints, np.zeros(0, np.uint64), ints)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustering:
    """n faces of m MediaFiles in c clusters, before users' edits. Immutable.

    Faces are ordered by (media, key). A cluster's id is a positive number below 2**31 that is
    kept across groupings and never given to another person; `retired` lists those once used.
    """

    number: int  # ascending: the highest published one counts
    model: str  # key of the face model; vectors of two models never meet
    eps: float
    min_samples: int
    made_at: float  # Unix seconds
    grouped_faces: int  # faces at the last grouping of everything; later ones were assigned
    media: tuple[str, ...]  # [m] hash_str, ascending
    media_files: tuple[str, ...]  # [m] name of the faces artefact that was read
    media_of: NDArray[np.int32]  # [n] index into media, ascending
    keys: NDArray[np.uint64]  # [n] faces.face_keys, ascending within a MediaFile
    rows: NDArray[np.int32]  # [n] row in the faces artefact
    labels: NDArray[np.int32]  # [n] cluster id or NO_CLUSTER
    cluster_ids: NDArray[np.int32]  # [c] ascending
    means: NDArray[np.float32]  # [c, dim] unit rows
    sizes: NDArray[np.int32]  # [c] faces that made the mean
    samples: NDArray[np.int32]  # [c, SAMPLES] faces (indexes), best first; -1: no more
    retired: NDArray[np.int32]  # ids that were used before and are not now
    loose: NDArray[np.int32]  # [l] unmarked faces in no cluster (indexes)
    loose_embeddings: NDArray[np.float16]  # [l, dim]
    memory: Memory = field(default_factory=Memory.empty)

    def __len__(self) -> int:
        return len(self.keys)

    @classmethod
    def empty(cls, model: str = "") -> Clustering:
        """The clustering of a Collection before its first grouping: no faces, number 0."""
        ints = np.zeros(0, np.int32)
        return cls(
            number=0,
            model=model,
            eps=DEFAULT_EPS,
            min_samples=DEFAULT_MIN_SAMPLES,
            made_at=0.0,
            grouped_faces=0,
            media=(),
            media_files=(),
            media_of=ints,
            keys=np.zeros(0, np.uint64),
            rows=ints,
            labels=ints,
            cluster_ids=ints,
            means=np.zeros((0, 0), np.float32),
            sizes=ints,
            samples=np.zeros((0, SAMPLES), np.int32),
            retired=ints,
            loose=ints,
            loose_embeddings=np.zeros((0, 0), np.float16),
        )
