"""Made-up groupings of faces, for tests of everything that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from shared.cache.faces import face_id, face_keys
from shared.people.clustering import NO_CLUSTER, SAMPLES, Clustering, Memory, VoiceGrouping

MODEL = "dlib"
DIM = 8


def clustering(labels: Sequence[int], *, media: int = 3, number: int = 1) -> Clustering:
    """A grouping with a face for each of these labels, one a second, file after file."""
    label_of = np.array(labels, np.int32).reshape(-1)
    count = len(label_of)
    media_of = (np.arange(count) * media // max(count, 1)).astype(np.int32)
    ids = np.unique(label_of[label_of != NO_CLUSTER]).astype(np.int32)
    loose = np.flatnonzero(label_of == NO_CLUSTER).astype(np.int32)
    return Clustering(
        number=number,
        model=MODEL,
        eps=0.48,
        min_samples=5,
        made_at=1_700_000_000.5,
        grouped_faces=count,
        media=tuple(f"{n:016x}" for n in range(media)),
        media_files=tuple(f"faces.{MODEL}.{n:08x}.npz" for n in range(media)),
        media_of=media_of,
        keys=keys_at(np.arange(count)),
        rows=np.arange(count, dtype=np.int32),
        labels=label_of,
        cluster_ids=ids,
        means=np.ones((len(ids), DIM), np.float32),
        sizes=np.array([(label_of == id_).sum() for id_ in ids], np.int32),
        samples=_samples(label_of, ids),
        retired=np.zeros(0, np.int32),
        loose=loose,
        loose_embeddings=np.ones((len(loose), DIM), np.float16),
    )


def same(
    one: Clustering | Memory | VoiceGrouping | None, other: Clustering | Memory | VoiceGrouping
) -> bool:
    assert one is not None
    pairs = [(getattr(one, f.name), getattr(other, f.name)) for f in fields(other)]
    return all(
        same(mine, yours)
        if isinstance(mine, Memory)
        else np.array_equal(mine, yours) and np.asarray(mine).dtype == np.asarray(yours).dtype
        for mine, yours in pairs
    )


def keys_at(seconds: NDArray[np.integer], x: float = 0.5, y: float = 0.5) -> NDArray[np.uint64]:
    """Keys of faces whose centre is there."""
    boxes = np.tile(np.array([x - 0.1, y - 0.1, 0.2, 0.2], np.float32), (len(seconds), 1))
    return face_keys(seconds.astype(np.uint32), boxes)


def id_of(grouping: Clustering, face: int) -> str:
    """Public id of a face."""
    return face_id(grouping.media[grouping.media_of[face]], int(grouping.keys[face]))


def _samples(labels: NDArray[np.int32], ids: NDArray[np.int32]) -> NDArray[np.int32]:
    found = np.full((len(ids), SAMPLES), -1, np.int32)
    for row, id_ in enumerate(ids):
        faces = np.flatnonzero(labels == id_)[:SAMPLES]
        found[row, : len(faces)] = faces
    return found
