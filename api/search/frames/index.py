"""SearchIndex: loads what CacheDirs hold into merged arrays and searches them. Sync, thread-safe.

Everything published in a CacheDir counts as loaded: searching brings the array up to date first,
so replicas and restarts see the same data. `load` looks harder, and reports what is unusable.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from api.people.frame_filter import FrameFilter
from api.search.folders import Folders
from api.search.frames import ranking, scan
from api.search.frames.merged import Snapshot
from api.search.frames.places import Places
from api.search.frames.previews import read_previews
from api.search.transcripts.index import TranscriptIndex
from api.search.types import Hit, LoadReport, QueryVectors, Skipped, Vectors
from api.search.write_lock import LOAD_WAIT_S, SEARCH_WAIT_S
from shared.cache.cache_dir import CacheDir
from shared.errors import ModelError
from shared.settings import Settings


class SearchIndex:
    """One a process. `close` it at the end."""

    def __init__(self, settings: Settings) -> None:
        self.folders = Folders(settings)
        self._threads = min(4, os.cpu_count() or 1)
        self._scan_pool = ThreadPoolExecutor(self._threads, "scan")
        self.transcripts = TranscriptIndex(self.folders)

    def close(self) -> None:
        self._scan_pool.shutdown()
        self.folders.close()

    def load(self, cache_dir: str) -> LoadReport:
        """Bring everything in the folder up to date, with a look for what was never announced."""
        folder = self.folders.open(cache_dir, thorough=True)
        found = folder.view.cache.catalogue.hashes()
        skipped: dict[str, str] = {}
        files: dict[str, int] = {}
        for model in sorted(folder.view.models()):
            loaded = folder.model(model)
            loaded.bring_up(LOAD_WAIT_S, retry=True)
            if deleted := set(loaded.snapshot().files) - found:
                loaded.remove(deleted, LOAD_WAIT_S)
            skipped |= loaded.unusable()
            for merged in loaded.snapshot().files.values():
                files[merged.hash_str] = max(files.get(merged.hash_str, 0), merged.rows)
        spoken = self.transcripts.load(cache_dir, look_for_more=False)
        report = _report(files, skipped, ())
        return replace(
            report, transcription_files=spoken.files, skipped=report.skipped + spoken.skipped
        )

    def load_for_media(self, cache_dir: str, hashes: Sequence[str]) -> LoadReport:
        """The same for some MediaFiles only: their folders are looked into."""
        folder = self.folders.open(cache_dir, thorough=False)
        folder.view.look_at(hashes)
        wanted = set(hashes)
        skipped: dict[str, str] = {}
        files: dict[str, int] = {}
        for model in sorted(folder.view.models()):
            loaded = folder.model(model)
            loaded.bring_up(LOAD_WAIT_S, retry=True)
            known = loaded.snapshot().files
            for hash_str in wanted & set(known):
                files[hash_str] = max(files.get(hash_str, 0), known[hash_str].rows)
            skipped |= {h: reason for h, reason in loaded.unusable().items() if h in wanted}
        return _report(files, skipped, [h for h in dict.fromkeys(hashes) if h not in files])

    def hash_for(self, cache_dir: str, path: str) -> str | None:
        """`hash_str` of a file: from its last sighting if unchanged since, else from its content.

        A file that is gone is still known by where it was. None: neither known nor readable.
        """
        return self.hashes_for(cache_dir, [path])[0]

    def hashes_for(self, cache_dir: str, paths: Sequence[str]) -> list[str | None]:
        """`hash_for` of many paths, which a share answers side by side."""
        return self.folders.hashes_for(cache_dir, paths)

    def search(
        self,
        cache_dir: str,
        model_key: str,
        query: QueryVectors,
        hashes: Iterable[str] | None,
        max_results: int,
        only_frames: FrameFilter | None = None,
    ) -> list[Hit]:
        """Best first. `hashes` None: the whole folder; `only_frames`: these only."""
        folder = self.folders.open(cache_dir, thorough=False)
        loaded = folder.model(model_key)
        loaded.bring_up(SEARCH_WAIT_S, retry=False)
        wanted = None if hashes is None else set(hashes)
        while True:
            hits = self._rank(loaded.snapshot(), query, wanted, max_results, only_frames)
            found = {hit.hash_str for hit in hits}
            deleted = loaded.deleted(found, self.folders.pool)
            if not deleted:
                break
            loaded.remove(deleted, SEARCH_WAIT_S)
        paths = self.folders.best_paths(folder.view, found)
        return [replace(hit, path=paths[hit.hash_str]) for hit in hits]

    def stored_vector(
        self, cache_dir: str, model_key: str, hash_str: str, second: int
    ) -> Vectors | None:
        """The embedding of a grid frame, None where it was not analysed with this model."""
        folder = self.folders.open(cache_dir, thorough=False)
        loaded = folder.model(model_key)
        loaded.bring_up(SEARCH_WAIT_S, retry=False)
        snapshot = loaded.snapshot()
        merged = snapshot.files.get(hash_str)
        if merged is None:
            return None
        seconds = snapshot.rows["second"][merged.start : merged.start + merged.rows]
        row = int(np.searchsorted(seconds, second))
        if row == len(seconds) or int(seconds[row]) != second:
            return None
        vector: Vectors = snapshot.vectors[merged.start + row].astype(np.float32)
        return vector

    def previews(self, cache_dir: str, hits: Sequence[tuple[str, int]]) -> list[bytes | None]:
        """JPEGs of (hash_str, second), or of the nearest frame; None where there is none."""
        cache = CacheDir.open(cache_dir, create=False)
        return read_previews(cache, hits, self.folders.pool)

    def newest_paths(self, cache_dir: str) -> dict[str, str]:
        """Where each MediaFile was seen last, by hash; touches no media."""
        return self.folders.open(cache_dir, thorough=False).view.newest_paths()

    def best_paths(self, cache_dir: str, hashes: Collection[str]) -> dict[str, str | None]:
        """The newest known path of each that opens, else the newest known; None: none is."""
        folder = self.folders.open(cache_dir, thorough=False)
        return self.folders.best_paths(folder.view, hashes)

    def _rank(
        self,
        snapshot: Snapshot,
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
        skipped=tuple(Skipped(h, reason) for h, reason in sorted(skipped.items())),
        missing=tuple(missing),
    )
