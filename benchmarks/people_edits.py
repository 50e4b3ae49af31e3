"""Users' edits of people at 100,000 faces, against one durable write of the same bytes.

    python -m benchmarks.people_edits [FACES]

1,000 clusters, 1,000 edits in the log: names, merges, moves of up to 500 faces, undos. An edit is
all of it: checked, written durably, and the new state made; its limit is one fsync and rename of
a file of that size. Reading is of the file as published (512 numbers a face, 8 % loose); its
limit is reading the same bytes. Medians of rounds, in milliseconds, on a warm disk cache.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from api.people import editing
from benchmarks import describe
from shared.cache import cache_files
from shared.cache.faces import face_id, face_keys
from shared.opening import RootedPath
from shared.people.clustering import NO_CLUSTER, SAMPLES, Clustering
from shared.people.collection import Collection
from shared.people.edits import Edit, NewEdit
from shared.people.enrolment import NOBODY
from shared.people.numbered_files import CLUSTERINGS, read_whole
from shared.people.state import PeopleState

CLUSTERS, EDITS, ROUNDS, DIM, FACES_A_FILE = 1000, 1000, 15, 512, 200


def grouping(faces: int) -> Clustering:
    """Every cluster has faces in many files; 8 % of the faces are in none."""
    picks = np.random.default_rng(1)
    media_of = (np.arange(faces) // FACES_A_FILE).astype(np.int32)
    seconds = (np.arange(faces) % FACES_A_FILE).astype(np.uint32)
    boxes = picks.uniform(0.1, 0.6, (faces, 4)).astype(np.float32)
    ids = np.unique(picks.integers(1, 2**31 - 1, CLUSTERS + 20))[:CLUSTERS].astype(np.int32)
    labels = ids[picks.integers(0, CLUSTERS, faces)]
    labels[picks.random(faces) < 0.08] = NO_CLUSTER
    loose = np.flatnonzero(labels == NO_CLUSTER).astype(np.int32)
    files = int(media_of[-1]) + 1
    return Clustering(
        number=1,
        model="benchmark",
        eps=0.48,
        min_samples=5,
        made_at=time.time(),
        grouped_faces=faces,
        media=tuple(f"{n:016x}" for n in range(files)),
        media_files=tuple(f"faces.benchmark.{n:08x}.npz" for n in range(files)),
        media_of=media_of,
        keys=face_keys(seconds, boxes),
        rows=seconds.astype(np.int32),
        labels=labels,
        cluster_ids=ids,
        means=picks.standard_normal((CLUSTERS, DIM)).astype(np.float32),
        sizes=np.full(CLUSTERS, faces // CLUSTERS, np.int32),
        samples=picks.integers(0, faces, (CLUSTERS, SAMPLES)).astype(np.int32),
        retired=np.zeros(0, np.int32),
        loose=loose,
        loose_embeddings=picks.standard_normal((len(loose), DIM)).astype(np.float16),
    )


class User:
    """Asks for edits that are possible as things stand."""

    def __init__(self, collection: Collection, state: PeopleState) -> None:
        self.collection = collection
        self.state = state
        self.picks = random.Random(1)

    def clusters(self, count: int) -> list[int]:
        return self.picks.sample(sorted(self.state.counts), count)

    def name(self, count: int) -> NewEdit:
        return editing.names_edit(
            self.state, [(id_, f"Person {id_}") for id_ in self.clusters(count)]
        )

    def merge(self) -> NewEdit:
        one, other = self.clusters(2)
        return editing.modify_edit(self.state, [([one], other)])

    def move(self, count: int, *, is_new: bool = False) -> NewEdit:
        grouping = self.state.clustering
        faces = self.picks.sample(range(len(grouping)), count)
        ids = [
            face_id(grouping.media[grouping.media_of[face]], int(grouping.keys[face]))
            for face in faces
        ]
        return editing.modify_edit(
            self.state, moves=[(ids, None if is_new else self.clusters(1)[0])]
        )

    def undo(self) -> NewEdit:
        """The last edit."""
        return editing.undo_edit(self.state.edits, self.state.edits[-2].id)

    def any(self) -> NewEdit:
        kind = self.picks.random()
        if kind < 0.5 or len(self.state.edits) < 2:
            return self.name(self.picks.randint(1, 20))
        if kind < 0.7:
            return self.merge()
        if kind < 0.95:
            return self.move(self.picks.choice((1, 5, 20, 100, 500)))
        return self.undo()

    def edit(self, make: Callable[[], NewEdit]) -> Edit:
        """As the API does it, with what other machines may have written meanwhile."""
        edit = self.collection.append(make())
        self.collection.version()
        clustering = self.collection.clustering() or self.state.clustering
        self.state = self.state.following(clustering, self.collection.edits(), NOBODY)
        return edit


def milliseconds(case: Callable[[], object]) -> float:
    started = time.perf_counter()
    case()
    return (time.perf_counter() - started) * 1000


def write(folder: Path, data: bytes) -> None:
    """The limit: one file, safely on the disk under its name."""
    with RootedPath.alone(folder).folder() as opened:
        cache_files.write_atomically(opened, "limit", data, "bench")


def report_edits(user: User, folder: Path) -> None:
    kinds: dict[str, Callable[[], NewEdit]] = {
        "merge of two": user.merge,
        "move of 500 faces": lambda: user.move(500),
        "move of 500 faces to a new one": lambda: user.move(500, is_new=True),
        "naming of 100": lambda: user.name(100),
        "undo": user.undo,
    }
    for name, make in kinds.items():
        ours, limits = [], []
        for _ in range(ROUNDS):
            made: list[Edit] = []
            ours.append(milliseconds(lambda made=made, make=make: made.append(user.edit(make))))
            raw = msgspec.json.encode(made[0])
            limits.append(milliseconds(lambda raw=raw: write(folder, raw)))
        show(name, ours, limits)


def show(name: str, ours: list[float], limits: list[float]) -> None:
    median, limit = statistics.median(ours), statistics.median(limits)
    print(
        f"  {name:32} {median:8.1f} ms, worst {max(ours):8.1f}; limit {limit:7.2f} ms"
        f" ({median / limit:6.1f} x)"
    )


def measure(faces: int, folder: Path) -> None:
    collection = Collection.open(RootedPath.alone(folder), "Benchmark", create=True)
    made = grouping(faces)
    published = collection.folder / "clustering-000000001.npz"
    path = published.path
    publishing = milliseconds(lambda: collection.publish(made))
    raw = path.read_bytes()
    print(f"{faces} faces, {len(raw) / 1e6:.1f} MB")
    show("publish the clustering", [publishing], [milliseconds(lambda: write(folder, raw))])
    rounds = range(ROUNDS)
    show(
        "read the clustering",
        [milliseconds(lambda: read_whole(published, CLUSTERINGS)) for _ in rounds],
        [milliseconds(path.read_bytes) for _ in rounds],
    )
    user = User(collection, PeopleState.of(made, []))
    while len(user.state.edits) < EDITS:
        user.state = user.state.with_edits(collection.append(user.any()))
    edits = collection.edits()
    size = len(msgspec.json.encode(edits))
    print(f"{len(edits)} edits, {size / 1e6:.1f} MB")
    decoder = msgspec.json.Decoder(list[Edit])
    whole = msgspec.json.encode(edits)
    show(
        "state of all edits",
        [milliseconds(lambda: PeopleState.of(made, edits)) for _ in rounds],
        [milliseconds(lambda: decoder.decode(whole)) for _ in rounds],
    )
    again = Collection.open(RootedPath.alone(folder), "Benchmark", create=False)
    print(f"  read all edits, cold object      {milliseconds(again.edits):8.1f} ms")
    print(f"  version                          {milliseconds(collection.version):8.2f} ms")
    user = User(
        Collection.open(RootedPath.alone(folder), "Benchmark", create=False),
        PeopleState.of(made, edits),
    )
    user.state = PeopleState.of(user.collection.clustering() or made, user.collection.edits())
    report_edits(user, folder)
    print(f"  fold of all edits                {milliseconds(user.collection._edits.fold):8.1f} ms")


def main() -> None:
    print(describe())
    with tempfile.TemporaryDirectory() as folder:
        measure(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, Path(folder))


if __name__ == "__main__":
    main()
