"""What people_filter adds to a search.

    python -m benchmarks.people_filter

360,000 frames (100 h) in 200 files, 384 dimensions, 50 matches, a person with 20,000
faces; interleaved rounds with and without the filter, what it adds in the same round, and its own
work alone (which collection, which frames, which rows, their scores put aside).
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import numpy as np

from api.cache.caches import Caches
from api.people.filtering import Person, frames_with
from api.people.people import People
from api.search.frames.index import SearchIndex
from api.search.frames.log import VectorLog
from api.search.frames.places import Places
from api.search.types import QueryVectors
from benchmarks import describe
from benchmarks.search import MATCHES, MODEL, interleaved, publish, units
from shared.cache.cache_dir import CacheDir
from shared.cache.faces import face_keys
from shared.people.clustering import SAMPLES, Clustering
from shared.people.collection import Collection
from shared.settings import Settings

FILES, SECONDS, DIM = 200, 1800, 384
NAME, PEOPLE, FACES_OF_PERSON, ROUNDS = "benchmark", 20, 20_000, 40


def clustering(files: int, faces: int, clusters: int, seconds: int) -> Clustering:
    """Faces spread evenly over the files, at any second; each cluster has as many of them."""
    media_of = np.sort(np.arange(faces, dtype=np.int32) % files)
    random = np.random.default_rng(5)
    boxes = np.column_stack([random.random((faces, 2)) * 0.9, np.full((faces, 2), 0.05)])
    keys = face_keys(random.integers(0, seconds, faces).astype(np.uint32), boxes.astype(np.float32))
    keys = keys[np.lexsort((keys, media_of))]
    labels = (np.arange(faces) % clusters + 1).astype(np.int32)
    samples = np.arange(clusters)[:, None] + np.arange(SAMPLES) * clusters
    rows = np.arange(faces, dtype=np.int32)
    none = np.empty(0, dtype=np.int32)
    return Clustering(
        number=1,
        model="benchmark",
        eps=0.48,
        min_samples=5,
        made_at=0.0,
        grouped_faces=faces,
        media=tuple(f"{n:016x}" for n in range(files)),
        media_files=tuple("faces.benchmark.00000000.npz" for _ in range(files)),
        media_of=media_of,
        keys=keys,
        rows=rows,
        labels=labels,
        cluster_ids=np.arange(1, clusters + 1, dtype=np.int32),
        means=units(clusters, 128, 6),
        sizes=np.full(clusters, faces // clusters, dtype=np.int32),
        samples=np.where(samples < faces, samples, -1).astype(np.int32),
        retired=none,
        loose=none,
        loose_embeddings=np.empty((0, 128), dtype=np.float16),
    )


def measure(folder: Path) -> None:
    whole = units(FILES * SECONDS, DIM, 1)
    cache = CacheDir.open(folder / "cache", create=True)
    for number in range(FILES):
        publish(cache, number, whole[number * SECONDS : (number + 1) * SECONDS])
    collection = Collection.open(cache.root, NAME, create=True)
    collection.publish(clustering(FILES, PEOPLE * FACES_OF_PERSON, PEOPLE, SECONDS))
    caches, people = Caches(Settings(state_dir=folder / "state")), People()
    index = SearchIndex(folder / "state", caches)
    view = caches.open(str(cache.root), thorough=True)
    index.load(view)
    query = QueryVectors(query=units(1, DIM, 2)[0])
    one, two = [Person(NAME, cluster_id="1")], [Person(NAME, cluster_id=n) for n in "12"]

    def search(persons: list[Person] | None, is_anew: bool = False) -> object:
        if is_anew:
            people.open(cache, NAME)._filters.clear()
        only = frames_with(people, cache, persons, "and") if persons else None
        view = caches.open(str(cache.root))
        return index.search(view, MODEL, query, None, MATCHES, only)

    array = folder / "state" / "search" / view.key / MODEL
    snapshot = VectorLog(array).snapshot()
    scores = np.zeros(len(whole), dtype=np.float32)

    def filter_alone() -> None:
        only = frames_with(people, cache, two, "and")
        places = Places(snapshot.ranges(only.files()[0]), snapshot)
        mask = places.allowed(only)
        scores[: len(mask)][~mask] = -np.inf

    times = interleaved(
        {
            "no filter": lambda: search(None),
            "one person": lambda: search(one),
            "one person, first time": lambda: search(one, is_anew=True),
            "two in the same frame": lambda: search(two),
            "the filter of two, alone": filter_alone,
        },
        ROUNDS,
    )
    report(times)
    index.close()
    caches.close()


def report(times: dict[str, list[float]]) -> None:
    base = times["no filter"]
    print(f"\n{FILES * SECONDS} frames x {DIM}, {FACES_OF_PERSON} faces of a person")
    for name, values in times.items():
        added = statistics.median(mine - its for mine, its in zip(values, base, strict=True))
        ratio = statistics.median(values) / statistics.median(base)
        print(
            f"  {name:24} min {min(values):6.1f}  median {statistics.median(values):6.1f} ms  "
            f"{ratio:5.2f} x  min {min(values) - min(base):+5.1f}  median {added:+5.1f} ms"
        )


def main() -> None:
    print(describe())
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder))


if __name__ == "__main__":
    main()
