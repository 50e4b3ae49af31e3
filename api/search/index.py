"""SearchIndex: loads what CacheDirs hold into merged arrays and searches them. Sync, thread-safe.

Everything published in a CacheDir counts as loaded: searching brings the array up to date first,
so replicas and restarts see the same data. `load` looks harder, and reports what is unusable.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from api.search import ranking, scan
from api.search.loading import LoadedModel
from api.search.merged import MergedArray, Snapshot
from api.search.places import Places
from api.search.previews import read_previews
from api.search.types import FrameFilter, Hit, LoadReport, QueryVectors, Skipped, Vectors
from api.search.view import CacheView
from shared import cache_files
from shared.cache import CacheDir
from shared.errors import MediaError, ModelError, NotAllowed
from shared.media import HashCache
from shared.paths import Roots
from shared.settings import Settings

_SEARCH_WAIT_S = 30.0  # a search waits this long while another thread or replica loads
_LOAD_WAIT_S = 300.0
_OPEN_FOLDERS = 64  # CacheDirs kept at hand; each costs memory and two descriptors a model
_SLOW_DISK_THREADS = 16  # for stats and small reads, which wait for the share and not for a core


@dataclass(frozen=True, slots=True)
class _Open:
    """What is at hand of one CacheDir; models by key."""

    view: CacheView
    models: dict[str, LoadedModel] = field(default_factory=dict)


class SearchIndex:
    """One a process. `close` it at the end."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.state_dir / "search"
        self._roots = Roots.media(settings)
        self._lock = threading.Lock()
        self._open: OrderedDict[str, _Open] = OrderedDict()  # by folder, the longest unused first
        self._hashes = HashCache()
        self._threads = min(4, os.cpu_count() or 1)
        self._scan_pool = ThreadPoolExecutor(self._threads, "scan")
        self._disk_pool = ThreadPoolExecutor(_SLOW_DISK_THREADS, "cache-dir")

    def close(self) -> None:
        self._scan_pool.shutdown()
        self._disk_pool.shutdown()

    def load(self, cache_dir: str) -> LoadReport:
        """Bring everything in the folder up to date, with a look into every media folder."""
        key, view = self._view(cache_dir, thorough=True)
        found = view.cache.catalogue.hashes()
        skipped: dict[str, str] = {}
        files: dict[str, int] = {}
        for model in sorted(view.models()):
            loaded = self._loaded(key, view, model)
            loaded.bring_up(_LOAD_WAIT_S, retry=True)
            if deleted := set(loaded.snapshot().files) - found:
                loaded.remove(deleted, _LOAD_WAIT_S)
            skipped |= loaded.unusable()
            for merged in loaded.snapshot().files.values():
                files[merged.hash_str] = max(files.get(merged.hash_str, 0), merged.rows)
        return _report(files, skipped, ())

    def load_for_media(self, cache_dir: str, hashes: Sequence[str]) -> LoadReport:
        """The same for some MediaFiles only: their folders are looked into."""
        key, view = self._view(cache_dir, thorough=False)
        view.look_at(hashes)
        wanted = set(hashes)
        skipped: dict[str, str] = {}
        files: dict[str, int] = {}
        for model in sorted(view.models()):
            loaded = self._loaded(key, view, model)
            loaded.bring_up(_LOAD_WAIT_S, retry=True)
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
        _, view = self._view(cache_dir, thorough=False)
        step = max(1, len(paths) // (4 * _SLOW_DISK_THREADS))
        parts = [paths[at : at + step] for at in range(0, len(paths), step)]
        found = self._disk_pool.map(lambda part: [self._hash(view, path) for path in part], parts)
        return [hash_str for part in found for hash_str in part]

    def search(
        self,
        cache_dir: str,
        model_key: str,
        query: QueryVectors,
        hashes: Iterable[str] | None,
        max_results: int,
        only_frames: FrameFilter | None = None,
    ) -> list[Hit]:
        """Best first. `hashes` None: the whole folder; `only_frames`: these seconds only."""
        key, view = self._view(cache_dir, thorough=False)
        loaded = self._loaded(key, view, model_key)
        loaded.bring_up(_SEARCH_WAIT_S, retry=False)
        wanted = None if hashes is None else set(hashes)
        while True:
            hits = self._rank(loaded.snapshot(), query, wanted, max_results, only_frames)
            found = {hit.hash_str for hit in hits}
            deleted = loaded.deleted(found, self._disk_pool)
            if not deleted:
                break
            loaded.remove(deleted, _SEARCH_WAIT_S)
        paths = dict(
            zip(found, self._disk_pool.map(lambda h: self._best_path(view, h), found), strict=True)
        )
        return [replace(hit, path=paths[hit.hash_str]) for hit in hits]

    def stored_vector(
        self, cache_dir: str, model_key: str, hash_str: str, second: int
    ) -> Vectors | None:
        """The embedding of a grid frame, None where it was not analysed with this model."""
        key, view = self._view(cache_dir, thorough=False)
        loaded = self._loaded(key, view, model_key)
        loaded.bring_up(_SEARCH_WAIT_S, retry=False)
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
        return read_previews(cache, hits, self._disk_pool)

    def _view(self, cache_dir: str, *, thorough: bool) -> tuple[str, CacheView]:
        cache = CacheDir.open(cache_dir, create=False)
        # A copy of a folder has its id too, so the place counts.
        place = hashlib.sha256(os.fsencode(os.path.realpath(cache.root))).hexdigest()[:12]
        key = f"{cache.id}-{place}"
        with self._lock:
            view = self._open.setdefault(key, _Open(CacheView(cache))).view
            self._open.move_to_end(key)
            while len(self._open) > _OPEN_FOLDERS:
                self._open.popitem(last=False)  # searches under way keep what they hold
        with cache_files.clear_errors(cache.root):
            view.refresh(thorough=thorough)
        return key, view

    def _loaded(self, key: str, view: CacheView, model: str) -> LoadedModel:
        folder = self._folder / key / cache_files.encoded_model(model)
        with self._lock:
            held = self._open.get(key)
            # Forgotten since `view` was got: this one search goes on without it.
            models = held.models if held is not None and held.view is view else {}
            if model not in models:
                models[model] = LoadedModel(view, model, MergedArray(folder))
            return models[model]

    def _rank(
        self,
        snapshot: Snapshot,
        query: QueryVectors,
        hashes: set[str] | None,
        max_results: int,
        only_frames: FrameFilter | None,
    ) -> list[Hit]:
        if only_frames is not None:
            hashes = set(only_frames) if hashes is None else hashes & set(only_frames)
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

    def _hash(self, view: CacheView, path: str) -> str | None:
        seen = view.seen_at(path)
        try:
            there = os.stat(path)
        except (OSError, ValueError):
            return seen[0] if seen else None
        if seen and (seen[1].size, seen[1].mtime_ns) == (there.st_size, there.st_mtime_ns):
            return seen[0]
        try:
            self._roots.check_real(path)
            return self._hashes.hash_of(path)
        except (MediaError, NotAllowed):
            return None

    def _best_path(self, view: CacheView, hash_str: str) -> str | None:
        """The newest known path that opens, else the newest known."""
        paths = view.paths_of(hash_str)
        return next(filter(self._opens, paths), paths[0] if paths else None)

    def _opens(self, path: str) -> bool:
        """A path that somebody wrote into the CacheDir is touched only inside the roots."""
        try:
            self._roots.check_real(path)
            if not stat.S_ISREG(os.stat(path).st_mode):
                return False
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
        except (OSError, ValueError, NotAllowed):
            return False
        return True


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
