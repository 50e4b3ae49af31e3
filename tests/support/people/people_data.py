"""Collections that tests make by hand: faces as a worker publishes them, grouped as a test says."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from shared.cache.cache_dir import CacheDir
from shared.cache.faces import FaceRows, write_faces
from shared.cache.frame_packs import PackWriter
from shared.domain import Stage
from shared.people.clustering import NO_CLUSTER, SAMPLES, Clustering
from shared.people.collection import Collection

FACE_MODEL = "test-faces"
_DIM = 4
Crop = Callable[[str, int], bytes]  # of a row of a file, by its hash_str


class Seen(NamedTuple):
    """A face of a test: when, where (tenths of the width from the left), in which cluster."""

    second: int
    tenth: int
    cluster: int = NO_CLUSTER


def face_rows(seen: Sequence[Seen]) -> FaceRows:
    """What a worker would have found."""
    count = len(seen)
    embeddings = np.random.default_rng(count).standard_normal((count, _DIM)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    rows = FaceRows(
        seconds=np.array([face.second for face in seen], dtype=np.uint32),
        boxes=np.array(
            [(face.tenth / 10, 0.25, 0.0625, 0.125) for face in seen], dtype=np.float32
        ).reshape(-1, 4),
        landmarks=np.zeros((count, 5, 2), dtype=np.float32),
        scores=np.full(count, 0.75, dtype=np.float32),
        sharpness=np.ones(count, dtype=np.float32),
        sizes=np.full(count, 80, dtype=np.float32),
        marks=np.zeros(count, dtype=np.uint8),
        embeddings=embeddings.astype(np.float16),
    )
    return rows.take(np.argsort(rows.keys, kind="stable"))


def text_crop(hash_str: str, row: int) -> bytes:
    """No picture at all, but one that tells whose it is."""
    return f"{hash_str} {row}".encode()


def publish_faces(
    cache: CacheDir, hash_str: str, seen: Sequence[Seen], crop: Crop = text_crop
) -> Path:
    """The faces of one file and their crops; `crop` makes that of a row."""
    rows = face_rows(seen)
    with cache.draft(hash_str, Stage.FACES, FACE_MODEL, "npz", "1") as draft:
        assert draft.pack is not None
        write_faces(draft.file, rows)
        pack = PackWriter(draft.pack)
        for row in range(len(rows)):
            pack.add(row, crop(hash_str, row))
        pack.finish()
        manifest = draft.publish(rows=len(rows), dim=_DIM)
    return cache.data_path(hash_str, manifest).path


def clustering_of(files: Mapping[str, tuple[str, Sequence[Seen]]], number: int = 1) -> Clustering:
    """How a test wants faces grouped; `files`: hash_str -> (name of the artefact, its faces)."""
    media = tuple(sorted(files))
    ordered = [
        (n, face)
        for n, hash_str in enumerate(media)
        for face in sorted(files[hash_str][1], key=lambda face: (face.second, face.tenth))
    ]
    keys = [face_rows(files[hash_str][1]).keys for hash_str in media]
    labels = np.array([face.cluster for _, face in ordered], dtype=np.int32)
    ids, sizes = np.unique(labels[labels != NO_CLUSTER], return_counts=True)
    samples = np.full((len(ids), SAMPLES), -1, dtype=np.int32)
    for row, cluster in zip(samples, ids, strict=True):
        best = np.flatnonzero(labels == cluster)[::-1][:SAMPLES]  # the last ones are the clearest
        row[: len(best)] = best
    loose = np.flatnonzero(labels == NO_CLUSTER).astype(np.int32)
    return Clustering(
        number=number,
        model=FACE_MODEL,
        eps=0.48,
        min_samples=5,
        made_at=time.time(),
        grouped_faces=len(ordered),
        media=media,
        media_files=tuple(files[hash_str][0] for hash_str in media),
        media_of=np.array([n for n, _ in ordered], dtype=np.int32),
        keys=np.concatenate([*keys, np.empty(0, dtype=np.uint64)]),
        rows=np.concatenate([np.arange(len(k)) for k in [*keys, ()]]).astype(np.int32),
        labels=labels,
        cluster_ids=ids.astype(np.int32),
        means=np.eye(max(1, len(ids)), _DIM, dtype=np.float32)[: len(ids)],
        sizes=sizes.astype(np.int32),
        samples=samples,
        retired=np.empty(0, dtype=np.int32),
        loose=loose,
        loose_embeddings=np.zeros((len(loose), _DIM), dtype=np.float16),
    )


def make_collection(
    cache: CacheDir,
    name: str,
    files: Mapping[str, Sequence[Seen]],
    number: int = 1,
    crop: Crop = text_crop,
) -> Collection:
    """Faces of these files (by hash_str), all published, added to the collection and grouped."""
    found = {
        hash_str: (publish_faces(cache, hash_str, seen, crop).name, seen)
        for hash_str, seen in files.items()
    }
    collection = Collection.open(cache.root, name, create=True)
    collection.add(FACE_MODEL, sorted(files), "1")
    assert collection.publish(clustering_of(found, number))
    return collection
