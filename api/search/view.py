"""What this process knows of one CacheDir: artefacts and paths, followed in its catalogue."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from shared import catalogue
from shared.cache import CacheDir
from shared.cache_files import SeenPath
from shared.catalogue import Artefact, Entry, FollowState
from shared.domain import Stage

Announced = tuple[str, str]  # data file names: visual artefact, frames artefact ("" unknown)


class CacheView:
    """Grows by following; safe for threads."""

    def __init__(self, cache: CacheDir) -> None:
        self.cache = cache
        self._lock = threading.Lock()
        self._state = FollowState()
        self._is_complete = False
        self._version = 0
        self._frames: dict[str, str] = {}  # hash -> data file
        self._visual: dict[str, dict[str, str]] = {}  # model -> hash -> data file
        self._paths: dict[str, dict[str, SeenPath]] = {}  # hash -> path -> newest sighting
        self._at_path: dict[str, str] = {}  # path -> hash last seen there

    def refresh(self, *, thorough: bool) -> None:
        """Read on in the catalogue; look into the folders too where it may have holes.

        `thorough`: also when it seems whole, because a client asked to load what is there.
        """
        with self._lock:
            followed = self.cache.catalogue.follow(self._state, thorough=thorough)
            self._note(followed.entries)
            if thorough or followed.lost or not self._is_complete:
                known: set[str] = set().union(*self._visual.values())
                self._note(self.cache.catalogue.walk(skip=known))
                self._is_complete = True

    def look_at(self, hash_strs: Iterable[str]) -> None:
        """Read the manifests of these MediaFiles, which the catalogue may have missed."""
        for hash_str in hash_strs:
            entries: list[Entry] = [
                Artefact(hash_str, found.stage, found.model, found.file, found.rows, found.bytes)
                for found in self.cache.manifests(hash_str)
            ]
            with self._lock:
                self._note(entries)

    @property
    def version(self) -> int:
        """Grows when an artefact was announced."""
        with self._lock:
            return self._version

    def models(self) -> set[str]:
        """Keys of the models that made visual artefacts."""
        with self._lock:
            return set(self._visual)

    def announced(self, model: str) -> dict[str, Announced]:
        """Visual artefacts of a model by hash. Lines come in any order, so these are hints."""
        with self._lock:
            visual = self._visual.get(model, {})
            return {
                hash_str: (file, self._frames.get(hash_str, ""))
                for hash_str, file in visual.items()
            }

    def correct(self, hash_str: str, model: str, found: Announced | None) -> None:
        """What the manifests really said; None: nothing is published (any more)."""
        with self._lock:
            if found is None:
                self._visual.get(model, {}).pop(hash_str, None)
            else:
                self._visual.setdefault(model, {})[hash_str] = found[0]
                self._frames[hash_str] = found[1]

    def seen_at(self, path: str) -> tuple[str, SeenPath] | None:
        """The MediaFile last seen at this path, and what it looked like then."""
        with self._lock:
            hash_str = self._at_path.get(path)
            return None if hash_str is None else (hash_str, self._paths[hash_str][path])

    def paths_of(self, hash_str: str) -> list[str]:
        """Where it was seen, newest first."""
        with self._lock:
            seen = list(self._paths.get(hash_str, {}).values())
        if not seen:
            seen = catalogue.read_paths(self.cache.media_dir(hash_str))
        return [known.path for known in sorted(seen, key=lambda s: (-s.seen_at, s.path))]

    def _note(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if isinstance(entry, Artefact):
                self._version += 1
                if entry.stage is Stage.FRAMES:
                    self._frames[entry.hash_str] = entry.file
                elif entry.stage is Stage.VISUAL:
                    self._visual.setdefault(entry.model, {})[entry.hash_str] = entry.file
                continue
            seen = SeenPath(entry.path, entry.size, entry.mtime_ns, entry.seen_at)
            known = self._paths.setdefault(entry.hash_str, {})
            if entry.path not in known or known[entry.path].seen_at <= seen.seen_at:
                known[entry.path] = seen
            there = self._at_path.get(entry.path)
            if there is None or self._paths[there][entry.path].seen_at <= seen.seen_at:
                self._at_path[entry.path] = entry.hash_str
