"""Our search against numpy in float32 and usearch's exact float16 search, on the same vectors.

    python -m benchmarks.search [HOURS DIMENSIONS]...     default: 28 384  100 384  100 512

Hours of footage at one frame a second, scenes of 12 s, 50 matches. Prints min and median
milliseconds of interleaved rounds, ours as a ratio of medians to each, and the recall at 50 frames.
Peers only score and pick the 50 best frames; ours also groups scenes, follows the catalogue and
looks up paths. "Stored rows only" is what each search did before there were codes: its scores
alone. It begins when codes and the index of scenes are made, which takes up to a minute. Vectors
are random: timings are real, recall is about exactness only.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from usearch.index import MetricKind
from usearch.index import search as usearch_exact

from api.cache.caches import Caches
from api.search.codes.store import WORTH_CODING
from api.search.frames import ranking
from api.search.frames.estimates import Estimates
from api.search.frames.index import SearchIndex
from api.search.scenes.scene_store import SceneState
from api.search.types import QueryVectors
from benchmarks import describe
from shared.cache.cache_dir import CacheDir
from shared.domain import Scene, Stage
from shared.settings import Settings
from tests.support.waiting import wait_for

MODEL, MATCHES, ROUNDS, HOUR = "benchmark", 50, 15, 3600


def units(rows: int, dim: int, seed: int) -> NDArray[np.float32]:
    values = np.random.default_rng(seed).standard_normal((rows, dim), dtype=np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values


def publish(cache: CacheDir, number: int, vectors: NDArray[np.float32]) -> None:
    hash_str = f"{number:016x}"
    scenes = tuple(Scene(at, at + 12) for at in range(0, len(vectors), 12))
    with cache.draft(hash_str, Stage.FRAMES, "", "pack", "bench") as draft:
        draft.publish(rows=len(vectors), scenes=scenes)
    with cache.draft(hash_str, Stage.VISUAL, MODEL, "npy", "bench") as draft:
        np.save(draft.file, vectors.astype(np.float16))
        draft.publish(rows=len(vectors), dim=vectors.shape[1])
    see(cache, hash_str)


def see(cache: CacheDir, hash_str: str) -> None:
    """Let there be a file with that content, as there is of all that was analyzed."""
    path = cache.root.path.with_name("media") / f"{hash_str}.mp4"
    path.parent.mkdir(exist_ok=True)
    path.write_text(hash_str)
    cache.remember_path(hash_str, str(path), len(hash_str), 1)


def interleaved(
    cases: dict[str, Callable[[], Any]], rounds: int = ROUNDS
) -> dict[str, list[float]]:
    """Milliseconds of each case in each round."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for round_ in range(rounds + 2):
        for name, case in cases.items():
            started = time.perf_counter()
            case()
            if round_ >= 2:  # two rounds to warm up
                times[name].append((time.perf_counter() - started) * 1000)
    return times


def best(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    found = np.argpartition(scores, len(scores) - MATCHES)[-MATCHES:]
    return found[np.argsort(-scores[found])]


def measure(hours: int, dim: int, folder: Path) -> None:
    whole = units(hours * HOUR, dim, 1)
    cache = CacheDir.open(folder / "cache", create=True)
    for number in range(hours):
        publish(cache, number, whole[number * HOUR : (number + 1) * HOUR])
    query, excluded = units(1, dim, 2)[0], units(3, dim, 3)
    caches = Caches(Settings(state_dir=folder / "state"))
    index = SearchIndex(folder / "state", caches)
    started = time.perf_counter()
    index.load(caches.open(str(cache.root), thorough=True))
    took = time.perf_counter() - started
    print(f"\n{hours} h = {len(whole)} frames x {dim}: loaded in {took:.1f} s", end=", ")
    print(f"codes made in {seconds_of_coding(folder / 'state', len(whole)):.1f} s more")
    wait_for_scenes(folder / "state", len(whole))
    half = whole.astype(np.float16)
    plain, soft = QueryVectors(query=query), QueryVectors(query=query, exclude=excluded)
    some = [f"{number:016x}" for number in range(max(1, hours // 100))]
    pool = ThreadPoolExecutor(2)

    def ours(what: QueryVectors, hashes: list[str] | None = None) -> object:
        return index.search(caches.open(str(cache.root)), MODEL, what, hashes, MATCHES)

    def numpy_soft() -> NDArray[np.int64]:
        others = np.maximum(0, (whole @ excluded.T).max(axis=1))
        return best(whole @ query - np.float32(0.5) * others)

    times = interleaved(
        {
            "ours, whole search": lambda: ours(plain),
            "stored rows only": lambda: ranking.score(half, [(0, len(half))], plain, pool, 2),
            "usearch exact f16": lambda: usearch_exact(
                half, query.astype(np.float16), MATCHES, MetricKind.IP, exact=True, threads=2
            ),
            "numpy f32": lambda: best(whole @ query),
            "ours, 3 excluded": lambda: ours(soft),
            "stored rows only, 3 excluded": lambda: ranking.score(
                half, [(0, len(half))], soft, pool, 2
            ),
            "numpy f32, 3 excluded": numpy_soft,
            "ours, 1 % of the files": lambda: ours(plain, some),
        }
    )
    report(times)
    print(f"  recall at {MATCHES}: {recall(half, whole, dim, pool):.4f} against float32 vectors")
    index.close()
    caches.close()
    pool.shutdown()


def seconds_of_coding(state: Path, rows: int) -> float:
    """Waits until all rows but the last few have codes."""
    began = time.perf_counter()

    def is_coded() -> bool:
        coded = state.glob("search/*/*/generation-*/codes.json")
        counts = [msgspec.json.decode(path.read_bytes())["rows"] for path in coded]
        return any(count > rows - WORTH_CODING for count in counts)

    wait_for(is_coded, longest_wait_s(rows), f"codes of {rows:,} rows in {state}")
    return time.perf_counter() - began


def wait_for_scenes(state: Path, rows: int) -> SceneState:
    """What the index of scenes says of itself once it has all rows; made after the codes."""

    def made() -> SceneState | None:
        for path in state.glob("search/*/*/generation-*/scenes.json"):
            found = msgspec.json.decode(path.read_bytes(), type=SceneState)
            if found.rows == rows:
                return found
        return None

    found = wait_for(made, longest_wait_s(rows), f"the index of scenes of {rows:,} rows")
    assert found is not None
    return found


def longest_wait_s(rows: int) -> float:
    """After which something is wrong: twenty times what files made of so many rows take, idle."""
    return 60 + rows / 3_000


def report(times: dict[str, list[float]]) -> None:
    for name, values in times.items():
        base = "ours, 3 excluded" if "3 excluded" in name else "ours, whole search"
        median = statistics.median(values)
        ratio = statistics.median(times[base]) / median
        print(f"  {name:28} min {min(values):7.1f}  median {median:7.1f} ms  ours {ratio:5.2f} x")


def recall(
    half: NDArray[np.float16], whole: NDArray[np.float32], dim: int, pool: ThreadPoolExecutor
) -> float:
    """Share of float32's 50 best frames that are among our 50 best, mean over 20 queries."""
    shares = []
    for query in units(20, dim, 4):
        scores, _ = ranking.score(half, [(0, len(half))], QueryVectors(query=query), pool, 2)
        found = Estimates(scores).top(MATCHES)
        found = found[np.argsort(-scores[found])][:MATCHES]
        shares.append(len(set(found) & set(best(whole @ query))) / MATCHES)
    return statistics.mean(shares)


def main() -> None:
    numbers = [int(word) for word in sys.argv[1:]] or [28, 384, 100, 384, 100, 512]
    print(describe())
    for hours, dim in zip(numbers[::2], numbers[1::2], strict=True):
        with tempfile.TemporaryDirectory() as folder:
            measure(hours, dim, Path(folder))


if __name__ == "__main__":
    main()
