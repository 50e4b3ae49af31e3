"""Writes analysis results into a CacheDir as a worker would, with vectors that a test chooses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.cache.caches import Caches
from api.cache.view import CacheView
from api.search.frames.index import SearchIndex
from api.search.types import LoadReport, QueryVectors
from shared.cache.cache_dir import CacheDir
from shared.cache.frame_packs import PackWriter
from shared.domain import Probe, Scene, Stage
from shared.media import MediaType
from shared.settings import Settings

MODEL = "test-model"
DIM = 32


@contextlib.contextmanager
def search_index(settings: Settings, **more: Any) -> Iterator[SearchIndex]:
    """As an API process has one. `more`: for its Caches."""
    caches = Caches(settings, **more)
    index = SearchIndex(settings.state_dir, caches)
    try:
        yield index
    finally:
        index.close()
        caches.close()


def view_of(index: SearchIndex, cache: CacheDir) -> CacheView:
    """What a request opens."""
    return index.caches.open(str(cache.root))


def load(index: SearchIndex, cache: CacheDir) -> LoadReport:
    """Everything in the folder, as /analysis-data/load does."""
    return index.load(index.caches.open(str(cache.root), thorough=True))


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows scaled to length 1."""
    scaled: NDArray[np.float32] = (
        vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    ).astype(np.float32)
    return scaled


def random_units(rows: int, dim: int, seed: int) -> NDArray[np.float32]:
    return unit(np.random.default_rng(seed).standard_normal((rows, dim)))


def media_hash(number: int) -> str:
    return f"{number:016x}"


def publish(
    cache: CacheDir,
    hash_str: str,
    vectors: NDArray[np.floating],
    *,
    scenes: tuple[Scene, ...] = (),
    model: str = MODEL,
    seconds: tuple[int, ...] | None = None,
    media_type: MediaType = MediaType.VIDEO,
    path: Path | None = None,
    probe: Probe | None = None,
    pictures: Sequence[bytes] | None = None,
) -> None:
    """Frames, then embeddings, then where it was seen.

    `pictures`: JPEGs in the order of the seconds; left out: each is the text of its second.
    """
    grid = seconds or tuple(range(len(vectors)))
    with cache.draft(hash_str, Stage.FRAMES, "", "pack", "1") as draft:
        pack = PackWriter(draft.file)
        for row, second in enumerate(grid):
            pack.add(second, pictures[row] if pictures else f"{hash_str} {second}".encode())
        probe = probe or Probe(media_type=media_type)
        draft.publish(rows=pack.finish(), seconds=seconds, scenes=scenes, probe=probe)
    with cache.draft(hash_str, Stage.VISUAL, model, "npy", "1") as draft:
        np.save(draft.file, vectors.astype(np.float16))
        draft.publish(rows=len(vectors), seconds=seconds, dim=vectors.shape[1])
    if path is not None:
        found = path.stat()
        cache.remember_path(hash_str, str(path), found.st_size, found.st_mtime_ns)


def fill(
    cache: CacheDir, files: int, rows: int = 30, dim: int = DIM
) -> dict[int, NDArray[np.float32]]:
    """Publishes files of 10 s scenes; returns their vectors by number."""
    vectors = {number: random_units(rows, dim, number) for number in range(files)}
    scenes = tuple(Scene(at, min(at + 10, rows)) for at in range(0, rows, 10))
    for number, of_file in vectors.items():
        publish(cache, media_hash(number), of_file, scenes=scenes)
    return vectors


def asking(vector: NDArray[np.floating], **more: Any) -> QueryVectors:
    """A text query of this direction."""
    return QueryVectors(query=unit(np.asarray(vector)), **more)


def found(
    index: SearchIndex,
    cache: CacheDir,
    vector: NDArray[np.floating],
    hashes: list[str] | None = None,
    max_results: int = 50,
    **more: Any,
) -> list[tuple[int, int]]:
    """Matches as (number of the file, second)."""
    model = more.pop("model", MODEL)
    hits = index.search(view_of(index, cache), model, asking(vector), hashes, max_results, **more)
    return [(int(hit.hash_str, 16), hit.second) for hit in hits]
