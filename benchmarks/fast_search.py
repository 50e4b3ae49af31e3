"""The mode "fast" against the exact search, through everything that a request does but pictures.

    python -m benchmarks.fast_search [HOURS DIMENSIONS]...     default: 100 512

Hours of footage in scenes of about 8 s, subjects that come back, frames that are nearly alike and
drift (all made up); 50 matches for the picture of one of the frames, of another frame of a scene
like it, and with words added. Prints the recall (the share of the exact answer's 50 matches that
the fast one has, too), min and median milliseconds of interleaved rounds, the ratio of medians, and
what the index cost. Also usearch's own part of it, and the same vectors looked through one by one.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numkong
import numpy as np
from numpy.typing import NDArray

from api.cache.caches import Caches
from api.cache.view import CacheView
from api.search.frames.index import SearchIndex
from api.search.frames.log import VectorSnapshot
from api.search.scenes.scene_store import SceneFiles, SceneIndex, sums_of
from api.search.types import Hit, QueryVectors
from benchmarks import describe
from benchmarks.search import (
    HOUR,
    MATCHES,
    MODEL,
    interleaved,
    see,
    wait_for_scenes,
)
from shared.cache.cache_dir import CacheDir
from shared.domain import Scene, Stage
from shared.settings import Settings
from tests.support.waiting import wait_for

_QUERIES = 40
Units = NDArray[np.float32]


def unit(vectors: NDArray[np.floating]) -> Units:
    scaled: Units = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)
    return scaled


class Footage:
    """Hours of one collection: what all pictures share, subjects, and what few dimensions hold."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._random = np.random.default_rng(1)
        spread = np.arange(1, dim + 1) ** -0.6
        self._spread = spread / np.linalg.norm(spread)
        self.common = unit(self._random.standard_normal(dim))
        self.subjects = unit(self._random.standard_normal((3000, dim)) * self._spread)

    def hour(self) -> tuple[Units, list[int]]:
        """Vectors of an hour, and where its scenes begin."""
        random = self._random
        starts = np.flatnonzero(np.append(True, random.random(HOUR - 1) < 1 / 8))
        lengths = np.diff(np.append(starts, HOUR))
        subject = random.integers(0, len(self.subjects), len(starts))
        shown = 0.7 * self.common + 0.55 * self.subjects[subject] + self._details(len(starts), 0.45)
        ends = shown + self._details(len(starts), 0.2)
        share = ((np.arange(HOUR) - np.repeat(starts, lengths)) / np.repeat(lengths, lengths))[
            :, None
        ]
        frames = (1 - share) * np.repeat(shown, lengths, 0) + share * np.repeat(ends, lengths, 0)
        return unit(frames + self._details(HOUR, 0.1)), starts.tolist()

    def words(self, count: int) -> Units:
        """In a direction that pictures do not have, and like some of the subjects."""
        subject = self._random.integers(0, len(self.subjects), count)
        apart = unit(np.roll(self.common, 1))
        return unit(0.8 * apart + 0.5 * self.subjects[subject] + self._details(count, 0.3))

    def like(self, vectors: Units) -> Units:
        """Pictures like these, of other moments."""
        return unit(vectors + self._details(len(vectors), 0.3))

    def _details(self, count: int, size: float) -> NDArray[np.float64]:
        drawn = self._random.standard_normal((count, self.dim)) * self._spread
        return size * drawn


def publish(cache: CacheDir, number: int, vectors: Units, starts: list[int]) -> None:
    hash_str = f"{number:016x}"
    scenes = tuple(Scene(a, b) for a, b in zip(starts, [*starts[1:], len(vectors)], strict=True))
    with cache.draft(hash_str, Stage.FRAMES, "", "pack", "bench") as draft:
        draft.publish(rows=len(vectors), scenes=scenes)
    with cache.draft(hash_str, Stage.VISUAL, MODEL, "npy", "bench") as draft:
        np.save(draft.file, vectors.astype(np.float16))
        draft.publish(rows=len(vectors), dim=vectors.shape[1])
    see(cache, hash_str)


def measure(hours: int, dim: int, folder: Path) -> None:
    footage, cache = Footage(dim), CacheDir.open(folder / "cache", create=True)
    some = []
    for number in range(hours):
        vectors, starts = footage.hour()
        publish(cache, number, vectors, starts)
        some.append(vectors[:: HOUR // 4])
    caches = Caches(Settings(state_dir=folder / "state"))
    index = SearchIndex(folder / "state", caches)
    index.load(view := caches.open(str(cache.root), thorough=True))
    began, cpu = time.perf_counter(), time.process_time()
    state = wait_for_scenes(folder / "state", hours * HOUR)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    graph = next((folder / "state").glob("search/*/*/generation-*/*.usearch"))
    print(
        f"\n{hours} h = {hours * HOUR:,} frames x {dim}, {state.pieces:,} vectors of scenes: index "
        f"(and codes of frames) made in {wall:.1f} s, {cpu:.1f} s of CPU, "
        f"{graph.stat().st_size / 2**20:.0f} MB"
    )
    pictures = np.concatenate(some)[np.random.default_rng(2).permutation(4 * hours)[:_QUERIES]]
    words = footage.words(_QUERIES)
    cases = {
        "a frame": [QueryVectors(picture=p) for p in pictures],
        "a picture like it": [QueryVectors(picture=p) for p in footage.like(pictures)],
        "a frame and words": [
            QueryVectors(picture=p, query=w) for p, w in zip(pictures, words, strict=True)
        ],
    }
    for name, queries in cases.items():
        compare(index, caches, cache, name, queries)
    parts(index, view, pictures[0])
    index.close()
    caches.close()


def compare(
    index: SearchIndex, caches: Caches, cache: CacheDir, name: str, queries: list[QueryVectors]
) -> None:
    turn = iter(range(10**9))

    def search(query: QueryVectors, instead: Callable[[str], None] | None) -> list[Hit]:
        view = caches.open(str(cache.root))
        return index.search(view, MODEL, query, None, MATCHES, instead=instead)

    def refuse(reason: str) -> None:
        raise AssertionError(f"the answer was exact: {reason}")

    def each(instead: Callable[[str], None] | None) -> Callable[[], object]:
        return lambda: search(queries[next(turn) // 2 % len(queries)], instead)

    wait_for(lambda: is_ready(search, queries[0]), 60, "an answer by the index of scenes")
    shares = []
    for query in queries:
        best, found = search(query, None), search(query, refuse)
        shares.append(len([hit for hit in found if hit in best]) / len(best))
    times = interleaved({"fast": each(refuse), "exact": each(None)}, rounds=len(queries))
    medians = {case: statistics.median(values) for case, values in times.items()}
    print(
        f"  {name:18} recall@{MATCHES}: {statistics.mean(shares):.4f} (worst {min(shares):.2f}); "
        + ", ".join(f"{c} {min(times[c]):.1f} / {medians[c]:.1f} ms" for c in times)
        + f", ratio {medians['fast'] / medians['exact']:.2f}"
    )


def is_ready(search: Callable[..., list[Hit]], query: QueryVectors) -> bool:
    reasons: list[str] = []
    search(query, reasons.append)
    return not reasons


def parts(index: SearchIndex, view: CacheView, picture: Units) -> None:
    """What usearch takes of it, and a pass over the same vectors of scenes without it."""
    snapshot = index._embeddings(view, MODEL).loader.snapshot()
    assert snapshot.journal is not None
    scenes = SceneFiles(snapshot.journal.path).open(snapshot)
    flat = flat_vectors(scenes, snapshot)
    query = QueryVectors(picture=picture)
    column = numkong.dots_pack(picture[None].astype(np.float16))

    def one_by_one() -> object:
        products = np.asarray(numkong.dots_packed(flat, column))[:, 0]
        return np.argpartition(products, len(products) - 400)[-400:]

    times = interleaved(
        {
            "rows to look at, by usearch": lambda: scenes.ranges(snapshot, query, MATCHES),
            "vectors of scenes one by one": one_by_one,
        }
    )
    for name, values in times.items():
        print(f"  {name:28} min {min(values):.2f}  median {statistics.median(values):.2f} ms")


def flat_vectors(scenes: SceneIndex, snapshot: VectorSnapshot) -> NDArray[np.float16]:
    step = 4096
    pieces = scenes.pieces
    return np.concatenate(
        [
            unit(sums_of(snapshot.vectors, pieces[at : at + step])).astype(np.float16)
            for at in range(0, len(pieces), step)
        ]
    )


def main() -> None:
    numbers = [int(word) for word in sys.argv[1:]] or [100, 512]
    print(describe())
    for hours, dim in zip(numbers[::2], numbers[1::2], strict=True):
        with tempfile.TemporaryDirectory() as folder:
            measure(hours, dim, Path(folder))


if __name__ == "__main__":
    main()
