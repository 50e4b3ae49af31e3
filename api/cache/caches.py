"""The CacheDirs that this process has at hand, and where their MediaFiles lie on disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from api.cache.lru import LruCache
from api.cache.view import CacheView
from shared.cache import cache_files
from shared.cache.cache_dir import CacheDir
from shared.errors import MediaError, NotAllowed
from shared.media import HashCache, open_media_file
from shared.paths import Roots
from shared.settings import Settings

_CAPACITY = 64  # CacheDirs kept at hand; each costs memory, and search three descriptors
_SLOW_DISK_THREADS = 16  # for stats and small reads, which wait for the share and not for a core


class Caches:
    """All CacheDirs that are open in this process. `close` it at the end."""

    def __init__(self, settings: Settings, capacity: int = _CAPACITY) -> None:
        self.capacity = capacity
        self.pool = ThreadPoolExecutor(_SLOW_DISK_THREADS, "cache-dir")
        self._roots = Roots.media(settings)
        self._cache_roots = Roots.cache(settings)
        self._views: LruCache[str, CacheView] = LruCache(capacity)
        self._hashes = HashCache()

    def close(self) -> None:
        self.pool.shutdown()

    def open(self, cache_dir: str, *, thorough: bool = False) -> CacheView:
        """Open a folder and follow its catalogue; once a request is enough.

        `thorough`: as in `CacheView.refresh`. Raises as `cache`.
        """
        return self.follow(self.cache(cache_dir), thorough=thorough)

    def cache(self, cache_dir: str) -> CacheDir:
        """Open a folder. Raises BadInput where there is none, NotAllowed, CacheError."""
        return CacheDir.open(cache_dir, self._cache_roots, create=False)

    def follow(self, cache: CacheDir, *, thorough: bool = False) -> CacheView:
        """Follow the catalogue of a folder that is open; see `open`. Raises CacheError."""
        # A copy of a folder has its id too, so the place counts.
        place = hashlib.sha256(os.fsencode(os.path.realpath(str(cache.root)))).hexdigest()[:12]
        key = f"{cache.id}-{place}"
        view = self._views.get(key, lambda: CacheView(cache, key))
        with cache_files.clear_errors(cache.root):
            view.refresh(thorough=thorough)
        return view

    def hash_for(self, view: CacheView, path: str) -> str | None:
        """`hash_str` of a file: from its last sighting if unchanged since, else from its content.

        A file that is gone is still known by where it was. None: neither known nor readable, or
        it leads out of the roots.
        """
        seen = view.seen_at(path)
        try:
            file = open_media_file(path, self._roots)
        except NotAllowed:
            return None
        except MediaError:
            return seen[0] if seen else None
        with file:
            there = file.status
            if seen and (seen[1].size, seen[1].mtime_ns) == (there.st_size, there.st_mtime_ns):
                return seen[0]
            with suppress(MediaError):
                return self._hashes.hash_of(file)
        return None

    def hashes_for(self, view: CacheView, paths: Sequence[str]) -> list[str | None]:
        """`hash_for` of many paths, which a share answers side by side."""
        step = max(1, len(paths) // (4 * _SLOW_DISK_THREADS))
        parts = [paths[at : at + step] for at in range(0, len(paths), step)]
        found = self.pool.map(lambda part: [self.hash_for(view, path) for path in part], parts)
        return [hash_str for part in found for hash_str in part]

    def best_paths(self, view: CacheView, hashes: Collection[str]) -> dict[str, str | None]:
        """Where MediaFiles are: the newest path that opens, else the newest known, else None."""
        found = self.pool.map(lambda hash_str: self._best_path(view, hash_str), hashes)
        return dict(zip(hashes, found, strict=True))

    def _best_path(self, view: CacheView, hash_str: str) -> str | None:
        paths = view.paths_of(hash_str)
        return next(filter(self._opens, paths), paths[0] if paths else None)

    def _opens(self, path: str) -> bool:
        """Whether a path opens; one that somebody wrote into the CacheDir only inside the roots."""
        try:
            open_media_file(path, self._roots).close()
        except (MediaError, NotAllowed):
            return False
        return True
