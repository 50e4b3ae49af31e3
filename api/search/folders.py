"""The CacheDirs that this process has at hand, and where their MediaFiles lie on disk."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from api.search.frames.loading import LoadedModel
from api.search.frames.merged import MergedArray
from api.search.transcripts.loading import LoadedTranscripts
from api.search.transcripts.log import TranscriptLog
from api.search.view import CacheView
from shared.cache import cache_files
from shared.cache.cache_dir import CacheDir
from shared.errors import MediaError, NotAllowed
from shared.media import HashCache
from shared.paths import Roots
from shared.settings import Settings

_OPEN_FOLDERS = 64  # CacheDirs kept at hand; each costs memory and three descriptors
_SLOW_DISK_THREADS = 16  # for stats and small reads, which wait for the share and not for a core


class Folder:
    """What is at hand of one CacheDir. Safe for threads."""

    def __init__(self, view: CacheView, state_dir: Path, key: str) -> None:
        self.view = view
        self._arrays = state_dir / "search" / key
        self._lock = threading.Lock()
        self._models: dict[str, LoadedModel] = {}
        self.transcripts = LoadedTranscripts(view, TranscriptLog(state_dir / "transcripts" / key))

    def model(self, model: str) -> LoadedModel:
        """Its embeddings by this visual model."""
        with self._lock:
            if model not in self._models:
                array = MergedArray(self._arrays / cache_files.encoded_model(model))
                self._models[model] = LoadedModel(self.view, model, array)
            return self._models[model]


class Folders:
    """One a process. `close` it at the end."""

    def __init__(self, settings: Settings) -> None:
        self.pool = ThreadPoolExecutor(_SLOW_DISK_THREADS, "cache-dir")
        self._state_dir = settings.state_dir
        self._roots = Roots.media(settings)
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Folder] = OrderedDict()  # by key, the longest unused first
        self._hashes = HashCache()

    def close(self) -> None:
        self.pool.shutdown()

    def open(self, cache_dir: str, *, thorough: bool) -> Folder:
        """The folder, its catalogue followed. Raises BadInput where there is none, CacheError."""
        cache = CacheDir.open(cache_dir, create=False)
        # A copy of a folder has its id too, so the place counts.
        place = hashlib.sha256(os.fsencode(os.path.realpath(cache.root))).hexdigest()[:12]
        key = f"{cache.id}-{place}"
        with self._lock:
            if key not in self._open:
                self._open[key] = Folder(CacheView(cache), self._state_dir, key)
            folder = self._open[key]
            self._open.move_to_end(key)
            while len(self._open) > _OPEN_FOLDERS:
                self._open.popitem(last=False)  # searches under way keep what they hold
        with cache_files.clear_errors(cache.root):
            folder.view.refresh(thorough=thorough)
        return folder

    def hashes_for(self, cache_dir: str, paths: Sequence[str]) -> list[str | None]:
        """`hash_str` of files: from the last sighting if unchanged since, else from the content.

        A file that is gone is still known by where it was. None: neither known nor readable.
        """
        view = self.open(cache_dir, thorough=False).view
        step = max(1, len(paths) // (4 * _SLOW_DISK_THREADS))
        parts = [paths[at : at + step] for at in range(0, len(paths), step)]
        found = self.pool.map(lambda part: [self._hash(view, path) for path in part], parts)
        return [hash_str for part in found for hash_str in part]

    def best_paths(self, view: CacheView, hashes: Collection[str]) -> dict[str, str | None]:
        """The newest known path of each that opens, else the newest known; None: none is."""
        found = self.pool.map(lambda hash_str: self._best_path(view, hash_str), hashes)
        return dict(zip(hashes, found, strict=True))

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
