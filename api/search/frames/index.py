"""SearchIndex: loads what CacheDirs hold into merged arrays and searches them. Sync, thread-safe.

Everything published in a CacheDir counts as loaded: searching brings the array up to date first,
so replicas and restarts see the same data. `load` looks harder, and reports what is unusable.
A request opens its CacheView once, and passes it to whatever it calls.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from api.cache.caches import Caches
from api.cache.lru import LruCache
from api.cache.view import CacheView
from api.people.frame_filter import FrameFilter
from api.search.frames import ranking, scan
from api.search.frames.loader import VectorLoader
from api.search.frames.log import VectorLog, VectorSnapshot
from api.search.frames.places import Places
from api.search.transcripts.index import TranscriptIndex
from api.search.types import Hit, LoadReport, QueryVectors, SkippedArtefact, VectorArray
from api.search.write_lock import LOAD_WAIT_S, SEARCH_WAIT_S
from shared.cache import cache_files
from shared.errors import ModelError


class SearchIndex:
    """Searches embeddings; one a process. `close` it at the end."""

    def __init__(self, state_dir: Path, caches: Caches) -> None:
        self.caches = caches
        self._state = state_dir / "search"
        self._loaders: LruCache[CacheView, dict[str, VectorLoader]] = LruCache(caches.capacity)
        self._threads = min(4, os.cpu_count() or 1)
        self._scan_pool = ThreadPoolExecutor(self._threads, "scan")
        self.transcripts = TranscriptIndex(state_dir / "transcripts", caches)

    def close(self) -> None:
        self._scan_pool.shutdown()

    def load(self, view: CacheView) -> LoadReport:
        """Bring everything in a folder, opened thoroughly, up to date, and forget what is gone."""
        found = view.cache.catalogue.hashes()
        skipped: dict[str, str] = {}
        files: dict[str, int] = {}
        for model in sorted(view.models()):
            loader = self._loader(view, model)
            loader.bring_up(LOAD_WAIT_S, retry=True)
            if deleted := set(loader.snapshot().files) - found:
                loader.remove(deleted, LOAD_WAIT_S)
            skipped |= loader.unusable()
            for merged in loader.snapshot().files.values():
                files[merged.hash_str] = max(files.get(merged.hash_str, 0), merged.rows)
        spoken = self.transcripts.load(view, look_for_more=False)
        report = _report(files, skipped, ())
        return replace(
            report, transcription_files=spoken.files, skipped=report.skipped + spoken.skipped
        )

    def load_for_media(self, view: CacheView, hashes: Sequence[str]) -> LoadReport:
        """Bring the visual data of some MediaFiles up to date: their folders are looked into."""
        view.look_at(hashes)
        wanted = set(hashes)
        skipped: dict[str, str] = {}
        files: dict[str, int] = {}
        for model in sorted(view.models()):
            loader = self._loader(view, model)
            loader.bring_up(LOAD_WAIT_S, retry=True)
            known = loader.snapshot().files
            for hash_str in wanted & set(known):
                files[hash_str] = max(files.get(hash_str, 0), known[hash_str].rows)
            skipped |= {h: reason for h, reason in loader.unusable().items() if h in wanted}
        return _report(files, skipped, [h for h in dict.fromkeys(hashes) if h not in files])

    def search(
        self,
        view: CacheView,
        model_key: str,
        query: QueryVectors,
        hashes: Iterable[str] | None,
        max_results: int,
        only_frames: FrameFilter | None = None,
    ) -> list[Hit]:
        """Matches, best first. `hashes` None: the whole folder; `only_frames`: these only."""
        loader = self._loader(view, model_key)
        wanted = None if hashes is None else set(hashes)
        while True:
            loader.bring_up(SEARCH_WAIT_S, retry=False)
            hits = self._rank(loader.snapshot(), query, wanted, max_results, only_frames)
            found = {hit.hash_str for hit in hits}
            deleted = loader.deleted(found)
            if not deleted:
                break
            loader.remove(deleted, SEARCH_WAIT_S)
        paths = self.caches.best_paths(view, found)
        return [replace(hit, path=paths[hit.hash_str]) for hit in hits]

    def stored_vector(
        self, view: CacheView, model_key: str, hash_str: str, second: int
    ) -> VectorArray | None:
        """The embedding of a grid frame, None where it was not analysed with this model."""
        loader = self._loader(view, model_key)
        loader.bring_up(SEARCH_WAIT_S, retry=False)
        snapshot = loader.snapshot()
        merged = snapshot.files.get(hash_str)
        if merged is None:
            return None
        seconds = snapshot.rows["second"][merged.start : merged.start + merged.rows]
        row = int(np.searchsorted(seconds, second))
        if row == len(seconds) or int(seconds[row]) != second:
            return None
        vector: VectorArray = snapshot.vectors[merged.start + row].astype(np.float32)
        return vector

    def _loader(self, view: CacheView, model: str) -> VectorLoader:
        """The loader at hand for the embeddings of a folder by this visual model."""
        by_model = self._loaders.get(view, dict)
        if model not in by_model:
            log = VectorLog(self._state / view.key / cache_files.encoded_model(model))
            # Another thread may have been faster: all use one.
            by_model.setdefault(
                model, VectorLoader(view, model, log, self.caches.reader(view.cache))
            )
        return by_model[model]

    def _rank(
        self,
        snapshot: VectorSnapshot,
        query: QueryVectors,
        hashes: set[str] | None,
        max_results: int,
        only_frames: FrameFilter | None,
    ) -> list[Hit]:
        if only_frames is not None:
            shown, _ = only_frames.files()
            hashes = set(shown) if hashes is None else hashes & set(shown)
        ranges = snapshot.ranges(hashes)
        if not ranges:
            return []
        _check_dimension(query, snapshot.dim)
        base, final = scan.score(snapshot.vectors, ranges, query, self._scan_pool, self._threads)
        places = Places(ranges, snapshot)
        if only_frames is not None:
            base[~places.allowed(only_frames)] = -np.inf
        best = ranking.rank(base, final, places.rows, places.tie_order, max_results)
        return [places.hit(int(place), float(final[place])) for place in best]


def _check_dimension(query: QueryVectors, dim: int) -> None:
    for vectors in (query.query, query.picture, query.exclude):
        if vectors is not None and len(vectors) and vectors.shape[-1] != dim:
            raise ModelError(
                f"The model gives {vectors.shape[-1]} dimensions, the analysed files have {dim}: "
                "analyze them again with force."
            )


def _report(files: dict[str, int], skipped: dict[str, str], missing: Sequence[str]) -> LoadReport:
    return LoadReport(
        visual_files=len(files),
        transcription_files=0,
        frames=sum(files.values()),
        skipped=tuple(SkippedArtefact(h, reason) for h, reason in sorted(skipped.items())),
        missing=tuple(missing),
    )
