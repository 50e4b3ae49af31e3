"""Grouping made-up faces into people against hdbscan, DBSCAN and average-link clustering.

    python -m benchmarks.faces [ROUNDS [MOST FACES]]

The faces are those of tests/support/people/face_data.py: 8 % are junk, "hard" ones vary more
within a person.
Every run has a process of its own that starts with the faces as float16; memory is its peak
beyond that and the imports. CPU time is of all threads. Each method has the threshold that
serves it best; groups of one count for all, so that no method loses by what it calls noise.
Prints medians; peers run once at 20,000 faces, and we at 100,000. hdbscan's time grows with the
square of the faces: five minutes at 20,000.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import describe
from shared.models.specs import DEFAULT_EPS, FaceScale
from tests.support.people.face_data import PERSON, TRACK, MadeFaces, agreement, make_faces
from workers.recluster.detect_params import detect_params
from workers.recluster.people import assign_faces, group_faces
from workers.recluster.types import FaceSet, Known, Rule

LATER = 1000  # faces that come after the grouping
SIZES = {5_000: 300, 20_000: 800, 100_000: 3000}  # faces and people
FACES_A_FILE = 250
MOST = {"hdbscan": 5_000, "average link": 20_000, "DBSCAN": 20_000}
LINK = {"mid": 0.25, "hard": 0.20}  # mean cosine between two groups that become one


def step(fraction: float, message: str) -> None:
    """Nobody cancels a benchmark."""


def rule(kind: str) -> Rule:
    return Rule(FaceScale(person=PERSON[kind], track=TRACK), DEFAULT_EPS, 1)


def ours(faces: FaceSet, kind: str) -> NDArray[np.int32]:
    return group_faces(faces, rule(kind), step).labels


def by_hdbscan(faces: FaceSet, kind: str) -> NDArray[np.int32]:
    from hdbscan import HDBSCAN

    return HDBSCAN(min_cluster_size=3, min_samples=2).fit_predict(faces.embeddings.astype("f4"))


def by_dbscan(faces: FaceSet, kind: str) -> NDArray[np.int32]:
    from sklearn.cluster import DBSCAN

    peer = DBSCAN(eps=1 - 0.42, min_samples=2, metric="cosine")
    return peer.fit_predict(faces.embeddings.astype("f4"))


def by_average_link(faces: FaceSet, kind: str) -> NDArray[np.int32]:
    from sklearn.cluster import AgglomerativeClustering

    peer = AgglomerativeClustering(
        n_clusters=None, distance_threshold=1 - LINK[kind], metric="cosine", linkage="average"
    )
    return peer.fit_predict(faces.embeddings.astype("f4"))


METHODS: dict[str, Callable[[FaceSet, str], NDArray[np.int32]]] = {
    "Rushes": ours,
    "Rushes, by file": ours,
    "hdbscan": by_hdbscan,
    "DBSCAN": by_dbscan,
    "average link": by_average_link,
}


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def memory_mb(name: str) -> float:
    """VmRSS: now; VmHWM: the most since clear_refs was written."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024


def warmed(method: str, kind: str) -> None:
    """What importing and starting libraries costs is not counted."""
    METHODS[method](make_faces(200, 10).faces, kind)


def save(made: MadeFaces, path: Path) -> None:
    arrays = {name: getattr(made.faces, name) for name in FaceSet.__slots__}
    np.savez(path, people=made.people, **arrays)


def load(path: str) -> MadeFaces:
    with np.load(path) as file:
        faces = FaceSet(**{name: file[name] for name in FaceSet.__slots__})
        return MadeFaces(faces, file["people"])


def grouping(method: str, kind: str, path: str) -> dict[str, float]:
    """In a process of its own."""
    warmed(method, kind)
    made = load(path)
    there = made.take(np.arange(len(made) - LATER))
    del made
    Path("/proc/self/clear_refs").write_text("5")
    memory, started = memory_mb("VmRSS"), cpu()
    labels = METHODS[method](there.faces, kind)
    took, memory = cpu() - started, memory_mb("VmHWM") - memory
    found = agreement(there.people, labels)
    return {"cpu": took, "mb": memory, "pair": found.pair_f1, "bcubed": found.f1}


def newcomers(kind: str, path: str) -> dict[str, float]:
    """In a process of its own: later faces, and looking for eps."""
    made = load(path)
    there = made.take(np.arange(len(made) - LATER)).faces
    wanted = Rule(rule(kind).scale, DEFAULT_EPS, 5)
    groups = group_faces(there, wanted, step)
    loose = there.embeddings[groups.labels < 0]
    known = Known(means=groups.means, sizes=groups.sizes, loose=loose)
    results: dict[str, float] = {"clusters": len(known.means), "loose": len(loose)}
    for count in (100, LATER):
        some = made.take(np.arange(len(made) - LATER, len(made) - LATER + count)).faces
        times = [timed(lambda some=some: assign_faces(some, known, wanted, step)) for _ in range(6)]
        results[f"{count} later"] = statistics.median(times[1:])
    results["parameters"] = timed(lambda: detect_params(there, wanted.scale, step))
    return results


def timed(case: Callable[[], Any]) -> float:
    started = cpu()
    case()
    return cpu() - started


def apart(*arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.faces", "--apart", *arguments]
    found: dict[str, float] = json.loads(subprocess.check_output(command))
    return found


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def measure(count: int, kind: str, rounds: int, folder: Path) -> None:
    mixed, filed = str(folder / "mixed.npz"), str(folder / "filed.npz")
    save(make_faces(count + LATER, SIZES[count], kind=kind), Path(mixed))
    files = count // FACES_A_FILE
    save(make_faces(count + LATER, SIZES[count], kind=kind, files=files), Path(filed))
    print(f"{count:,} faces of {SIZES[count]} people, {kind}", flush=True)
    methods = [method for method in METHODS if count <= MOST.get(method, count)]
    runs: dict[str, list[dict[str, float]]] = {method: [] for method in methods}
    for round_ in range(rounds if count < max(SIZES) else 1):
        for method in methods:
            if round_ and count > min(SIZES) and not method.startswith("Rushes"):
                continue  # peers take minutes
            path = filed if method.endswith("file") else mixed
            runs[method].append(apart(method, kind, path))
    for method, found in runs.items():
        middle = medians(found)
        print(
            f"  {method:16} {middle['cpu']:7.1f} CPU s {middle['mb']:6.0f} MB"
            f"  pair F1 {middle['pair']:.3f}  BCubed F1 {middle['bcubed']:.3f}",
            flush=True,
        )
    later = apart("newcomers", kind, mixed)
    print(
        f"  later faces, to {later['clusters']:.0f} clusters and {later['loose']:.0f} loose faces:"
        f" 100 in {later['100 later']:.3f}, {LATER} in {later[f'{LATER} later']:.3f} CPU s;"
        f" parameters found in {later['parameters']:.1f} CPU s",
        flush=True,
    )


def main() -> None:
    if sys.argv[1:2] == ["--apart"]:
        method, kind, path = sys.argv[2:]
        found = newcomers(kind, path) if method == "newcomers" else grouping(method, kind, path)
        print(json.dumps(found))
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    most = int(sys.argv[2]) if len(sys.argv) > 2 else max(SIZES)
    print(describe())
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for count in (size for size in SIZES if size <= most):
            for kind in LINK:
                measure(count, kind, rounds, Path(folder))
    print(f"took {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
