"""FactsIndex: what is known of the files of CacheDirs. Sync, thread-safe."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from api.cache.caches import Caches
from api.cache.lru import LruCache
from api.cache.view import CacheView
from api.search.filtering.facts import ManifestFacts
from api.search.filtering.facts_log import FactsLog, FactsSnapshot, FactsWriter, Key
from api.search.loader import Loader
from api.search.write_lock import LOAD_WAIT_S, SEARCH_WAIT_S
from shared.cache import cache_files
from shared.domain import Stage
from shared.opening import RootedPath


class FactsIndex:
    """Keeps facts of all folders at hand; one a process."""

    def __init__(self, state: Path, caches: Caches) -> None:
        self._state = state
        self._loaders: LruCache[CacheView, FactsLoader] = LruCache(caches.capacity)

    def snapshot(self, view: CacheView) -> FactsSnapshot:
        """Facts of all that is published, after reading what is new of it."""
        return self._loader(view).bring_up(SEARCH_WAIT_S, retry=False)

    def load(self, view: CacheView) -> None:
        """Bring everything in a folder, opened thoroughly, up to date, and forget what is gone."""
        loader = self._loader(view)
        known = [facts.key for facts in loader.bring_up(LOAD_WAIT_S, retry=True).every]
        if deleted := loader.deleted(known, time.monotonic()):
            loader.remove(deleted, LOAD_WAIT_S)

    def _loader(self, view: CacheView) -> FactsLoader:
        folder = self._state / view.key
        return self._loaders.get(view, lambda: FactsLoader(view, FactsLog(folder), view.reader))


class FactsLoader(Loader[Key, str, ManifestFacts, FactsSnapshot, FactsWriter]):
    """Loads facts of the frames and transcripts of one CacheDir."""

    read_at_once = 64

    def _announced(self) -> Mapping[Key, str]:
        frames = {(hash_str, ""): file for hash_str, file in self._view.frames.files().items()}
        return frames | self._view.transcripts()

    def _correct(self, key: Key, source: str | None) -> None:
        if key[1]:
            self._view.correct_transcript(*key, source)
        else:
            self._view.frames.correct(key[0], source)

    def _held(self, snapshot: FactsSnapshot) -> Mapping[Key, str]:
        return {facts.key: facts.file for facts in snapshot.every}

    def _read(self, key: Key, wait_s: float) -> ManifestFacts | None:
        manifest = cache_files.read_facts(self._manifest_path(key), wait_s)
        if manifest is None or manifest.model != key[1]:
            return None
        return ManifestFacts.of(key[0], manifest)

    def _source_of(self, content: ManifestFacts) -> str:
        return content.file

    def _add(self, writer: FactsWriter, key: Key, content: ManifestFacts) -> None:
        writer.add(content)

    def _hash(self, key: Key) -> str:
        return key[0]

    def _manifest_path(self, key: Key) -> RootedPath:
        stage = Stage.TRANSCRIPT if key[1] else Stage.FRAMES
        return cache_files.manifest_path(self._view.cache.root, key[0], stage, key[1])
