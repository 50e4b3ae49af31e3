"""The CacheDirs that this process has at hand, and where their MediaFiles lie on disk."""

from __future__ import annotations

import copy
import hashlib
import os
import time
from collections.abc import Collection, Sequence
from concurrent.futures import Executor
from contextlib import suppress

from api.cache.lru import LruCache
from api.cache.view import CacheView
from api.folders import Folders
from api.quick_map import quick_map
from shared.cache import cache_files
from shared.cache.cache_dir import CacheDir, without_id
from shared.errors import MediaError, NoCacheFolder, NotAllowed
from shared.media import HashCache, open_media_file
from shared.opening import RootedPath
from shared.paths import Roots
from shared.settings import Settings

_CAPACITY = 64  # CacheDirs kept at hand; each costs memory, and search three descriptors
_MOST_SEEN = 10_000
_OPENS_WITHIN_S = 2.0  # what takes longer is no reason to let an answer wait


class Caches:
    """All CacheDirs that are open in this process. `close` it at the end."""

    def __init__(
        self, settings: Settings, capacity: int = _CAPACITY, folders: Folders | None = None
    ) -> None:
        self.capacity = capacity
        self.folders = folders or Folders()
        self._roots = Roots.media(settings)
        self._cache_roots = Roots.cache(settings)
        self._views: LruCache[str, CacheView] = LruCache(capacity)
        self._hashes = HashCache()
        self._seen: set[str] = set()  # folders that were there

    def within(self, roots: tuple[str, ...] | None) -> Caches:
        """The CacheDirs that a licence key with these roots may open; None: all of them."""
        if roots is None:
            return self
        bounded = copy.copy(self)
        bounded._roots = self._roots.within(roots)
        bounded._cache_roots = self._cache_roots.within(roots)
        return bounded

    def close(self) -> None:
        self.folders.close()

    def open(self, cache_dir: str, *, thorough: bool = False) -> CacheView:
        """Open a folder and follow its catalogue; once a request is enough.

        `thorough`: as in `CacheView.refresh`. Raises as `cache`.
        """
        return self.follow(self.cache(cache_dir), thorough=thorough)

    def cache(self, cache_dir: str) -> CacheDir:
        """Open a folder; one that is not there yet is empty.

        Raises NoCacheFolder for one that was there and is away, NotAllowed and CacheError.
        """
        try:
            found = CacheDir.open(cache_dir, self._cache_roots, create=False)
        except NoCacheFolder:
            if cache_dir in self._seen:
                raise
            return without_id(RootedPath.of(cache_dir, self._cache_roots))
        if len(self._seen) >= _MOST_SEEN:
            self._seen.clear()
        self._seen.add(cache_dir)
        return found

    def follow(self, cache: CacheDir, *, thorough: bool = False) -> CacheView:
        """Follow the catalogue of a folder that is open; see `open`. Raises CacheError."""
        # A copy of a folder has its id too, so the place counts.
        place = hashlib.sha256(os.fsencode(os.path.realpath(str(cache.root)))).hexdigest()[:12]
        key = f"{cache.id}-{place}"
        if of_key := self._cache_roots.of_key:  # links in it may lead out of what that one may read
            named = hashlib.sha256(os.fsencode("\0".join(map(str, of_key)))).hexdigest()[:12]
            key = f"{key}-{named}"
        view = self._views.get(key, lambda: CacheView(cache, key, self.reader(cache)))
        with cache_files.clear_errors(cache.root):
            view.refresh(thorough=thorough)
        return view

    def reader(self, cache: CacheDir) -> Executor:
        """Threads for small reads in a folder that has been opened."""
        return self.folders.reader(str(cache.root))

    def hash_for(self, view: CacheView, path: str) -> str | None:
        """`hashes_for` of one path."""
        return self.hashes_for(view, [path])[0]

    def _hash_for(self, view: CacheView, path: str) -> str | None:
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
        """`hash_str` of files; one whose folder hangs is known by where it was."""
        return self.folders.each(
            paths,
            lambda path: self._hash_for(view, path),
            os.path.dirname,
            lambda path: seen[0] if (seen := view.seen_at(path)) else None,
        )

    def best_paths(
        self, view: CacheView, hashes: Collection[str], began: float = float("inf")
    ) -> dict[str, str | None]:
        """Where MediaFiles are: the newest path that opens, else the newest known, else None.

        `began`: a request that began then asks, see api/cache/looks.py.
        """
        return view.best_paths.since(began, hashes, lambda some: self._best_paths(view, some))

    def _best_paths(self, view: CacheView, hashes: Collection[str]) -> list[str | None]:
        found = quick_map(view.reader, view.paths_of, hashes)
        known = dict(zip(hashes, found, strict=True))
        best = {hash_str: paths[0] if paths else None for hash_str, paths in known.items()}
        until = time.monotonic() + _OPENS_WITHIN_S
        while trying := [hash_str for hash_str, paths in known.items() if paths]:
            paths = [known[hash_str].pop(0) for hash_str in trying]
            opens = self.folders.each(
                paths, self._opens, os.path.dirname, lambda _: False, until - time.monotonic()
            )
            for hash_str, path, does_open in zip(trying, paths, opens, strict=True):
                if does_open:
                    best[hash_str] = path
                    known[hash_str].clear()
        return list(best.values())

    def _opens(self, path: str) -> bool:
        """Whether a path opens; one that somebody wrote into the CacheDir only inside the roots."""
        try:
            open_media_file(path, self._roots).close()
        except (MediaError, NotAllowed):
            return False
        return True
