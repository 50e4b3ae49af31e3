"""The CacheDirs that this process has at hand, and where their MediaFiles lie on disk."""

from __future__ import annotations

import copy
import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import Generic, TypeVar

from api.cache.view import CacheView, Place
from api.folders import Folders, quick_map
from shared.cache import cache_files
from shared.cache.cache_dir import CacheDir, place_digest, was_written_to, without_id
from shared.cache.catalogue import Seen
from shared.errors import MediaError, NoCacheFolder, NotAllowed
from shared.media import HashCache, open_media_file
from shared.opening import RootedPath
from shared.paths import Roots
from shared.settings import Settings

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
_CAPACITY = 64  # CacheDirs kept at hand; each costs memory, and search three descriptors
_MOST_SEEN = 10_000
# What takes longer is no reason to let an answer wait: one of many files, and all together.
_PATIENCE_S, _OPENS_WITHIN_S = 0.05, 2.0


class LruCache(Generic[K, V]):
    """The values used last. Safe for threads; whoever uses a value that is let go keeps it."""

    def __init__(self, capacity: int, weight: Callable[[V], int] = lambda _: 1) -> None:
        """`capacity`: how much all values may weigh; without `weight`, how many they are."""
        self._capacity = capacity
        self._weight = weight
        self._total = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[K, V] = OrderedDict()  # the longest unused first

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value of a key. `make` is called where there is none, while others wait: be quick."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = make()
                self._total += self._weight(self._kept[key])
            self._kept.move_to_end(key)
            found = self._kept[key]
            while self._total > self._capacity:
                _, gone = self._kept.popitem(last=False)
                self._total -= self._weight(gone)
            return found

    def peek(self, key: K) -> V | None:
        """The value of a key where there is one; it counts as no use."""
        with self._lock:
            return self._kept.get(key)


class Caches:
    """All CacheDirs that are open in this process. `close` it at the end."""

    def __init__(
        self,
        settings: Settings,
        capacity: int = _CAPACITY,
        folders: Folders | None = None,
        on_use: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`on_use` is called with each folder that a request opens and that was written to."""
        self.capacity = capacity
        self._on_use = on_use
        self.folders = folders or Folders()
        self._roots = Roots.media(settings)
        self._cache_roots = Roots.cache(settings)
        self._views: LruCache[str, CacheView] = LruCache(capacity)
        self.hashes = HashCache()
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
        if was_written_to(found):
            self._on_use(cache_dir)
        return found

    def follow(self, cache: CacheDir, *, thorough: bool = False) -> CacheView:
        """Follow the catalogue of a folder that is open; see `open`. Raises CacheError."""
        key = f"{cache.id}-{place_digest(cache.root)[:12]}"
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
                return self.hashes.hash_of(file)
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
        """Where MediaFiles are: the path where each was seen first of those that open.

        Where none does, the first one. None: none is known.
        A folder that hangs or takes long holds nobody up: what lies there opens if it did lately.
        `began`: a request that began then asks, see api/cache/view.py.
        """
        return view.best_paths.since(began, hashes, lambda some: self._best_paths(view, some))

    def places(
        self, view: CacheView, hashes: Iterable[str], began: float = float("inf")
    ) -> dict[str, list[Place]]:
        """All paths where each MediaFile was seen: those that open first, then as seen first.

        What was found since `began` (time.monotonic) is as good as a look.
        """
        asked = list(dict.fromkeys(hashes))
        known = quick_map(view.reader, view.paths_of, asked)
        each = [(h, seen) for h, of_it in zip(asked, known, strict=True) for seen in of_it]
        unknown = [(h, seen) for h, seen in each if not view.opened.has(h, seen.path, began)]
        opens = dict.fromkeys(((h, seen.path) for h, seen in each), True) | {
            (h, seen.path): does_open
            for (h, seen), does_open in zip(
                unknown, self._open(view, unknown, _OPENS_WITHIN_S), strict=True
            )
        }
        found = {}
        for hash_str, of_it in zip(asked, known, strict=True):
            places = [Place(seen.path, opens[hash_str, seen.path]) for seen in of_it]
            found[hash_str] = sorted(places, key=lambda place: not place.opens)
        return found

    def _best_paths(self, view: CacheView, hashes: Collection[str]) -> list[str | None]:
        found = quick_map(view.reader, view.paths_of, hashes)
        known = dict(zip(hashes, found, strict=True))
        best = {hash_str: paths[0].path if paths else None for hash_str, paths in known.items()}
        perhaps: dict[str, str] = {}
        until = time.monotonic() + _OPENS_WITHIN_S
        while trying := [(hash_str, paths.pop(0)) for hash_str, paths in known.items() if paths]:
            opens = self._open(view, trying, until - time.monotonic())
            for (hash_str, seen), does_open in zip(trying, opens, strict=True):
                if does_open:
                    best[hash_str] = seen.path
                    perhaps.pop(hash_str, None)
                    known[hash_str].clear()
                elif does_open is None:
                    perhaps.setdefault(hash_str, seen.path)
        return list((best | perhaps).values())

    def _open(
        self, view: CacheView, asked: Sequence[tuple[str, Seen]], within_s: float
    ) -> list[bool | None]:
        """Whether each MediaFile can be opened where it was seen; None: unknown in time."""

        def opened_lately(one: tuple[str, Seen]) -> bool | None:
            return True if view.opened.has(one[0], one[1].path) else None

        # Those of which nothing is known come first: known soon, also where each takes long.
        order = sorted(range(len(asked)), key=lambda n: opened_lately(asked[n]) or False)
        opens = self.folders.each(
            [asked[n] for n in order],
            lambda one: self._opens(view, *one),
            lambda one: os.path.dirname(one[1].path),
            opened_lately,
            _PATIENCE_S,
            within_s,
        )
        of_each = dict(zip(order, opens, strict=True))
        return [of_each[n] for n in range(len(asked))]

    def _opens(self, view: CacheView, hash_str: str, seen: Seen) -> bool | None:
        """Whether a path opens and holds what was seen there; only inside the roots.

        Somebody else may have written it into the CacheDir.
        """
        try:
            with open_media_file(seen.path, self._roots) as file:
                is_it = file.status.st_size == seen.size
        except (MediaError, NotAllowed):
            is_it = False
        latest = view.seen_at(seen.path)
        is_it = is_it and (latest is None or latest[0] == hash_str)
        view.opened.note(hash_str, seen.path, is_it)
        return is_it
