"""Brings the transcript log up to date with what a CacheDir holds."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

from api.cache.view import CacheView
from api.search.loader import Loader
from api.search.transcripts.log import (
    IndexedTranscript,
    Key,
    TranscriptLog,
    TranscriptSnapshot,
    TranscriptWriter,
)
from api.search.transcripts.text import SearchText, pack
from shared.cache import cache_files, transcripts
from shared.cache.cache_dir import CacheDir
from shared.domain import Stage
from shared.errors import CacheError
from shared.opening import RootedPath


@dataclass(frozen=True, slots=True)
class _ReadTranscript:
    file: str
    made_at: float
    text: SearchText


class TranscriptLoader(Loader[Key, str, _ReadTranscript, TranscriptSnapshot, TranscriptWriter]):
    """Loads transcripts by all models, each named by the hash of its MediaFile and the model."""

    read_at_once = 64

    def __init__(self, view: CacheView, log: TranscriptLog, pool: Executor) -> None:
        super().__init__(view, log, pool)
        self._ordered: tuple[TranscriptSnapshot, int, str, list[IndexedTranscript]] | None = None

    def in_order(self, preferred: str) -> list[IndexedTranscript]:
        """One transcript a MediaFile (see `answering`), by the newest known path."""
        snapshot, sightings = self._log.snapshot(), self._view.sightings
        with self._lock:
            if self._ordered and self._ordered[:3] == (snapshot, sightings, preferred):
                return self._ordered[3]
        paths = self._view.newest_paths()
        found = [answering(of_file, preferred) for of_file in snapshot.by_hash().values()]
        found.sort(key=lambda one: (paths.get(one.hash_str, ""), one.hash_str))
        with self._lock:
            self._ordered = (snapshot, sightings, preferred, found)
        return found

    def of_files(self, hashes: Iterable[str], preferred: str) -> list[IndexedTranscript]:
        """One transcript for each of these MediaFiles that has any, in their order."""
        known = {found.hash_str: found for found in self.in_order(preferred)}
        return [known[hash_str] for hash_str in dict.fromkeys(hashes) if hash_str in known]

    def _announced(self) -> Mapping[Key, str]:
        return self._view.transcripts()

    def _correct(self, key: Key, source: str | None) -> None:
        self._view.correct_transcript(*key, source)

    def _held(self, snapshot: TranscriptSnapshot) -> Mapping[Key, str]:
        return {key: found.file for key, found in snapshot.transcripts.items()}

    def _read(self, key: Key, wait_s: float) -> _ReadTranscript | None:
        return _read(self._view.cache, key, wait_s)

    def _source_of(self, content: _ReadTranscript) -> str:
        return content.file

    def _add(self, writer: TranscriptWriter, key: Key, content: _ReadTranscript) -> None:
        writer.add(key, content.file, content.made_at, content.text)

    def _hash(self, key: Key) -> str:
        return key[0]

    def _manifest_path(self, key: Key) -> RootedPath:
        return _manifest_path(self._view.cache, key)


def answering(of_file: Iterable[IndexedTranscript], preferred: str) -> IndexedTranscript:
    """The transcript that answers for a MediaFile: the preferred model's, else the newest."""
    return max(of_file, key=lambda found: (found.model == preferred, found.made_at))


def _read(cache: CacheDir, key: Key, wait_s: float) -> _ReadTranscript | None:
    """A transcript, None where none is published. Raises CacheError, with the reason."""
    deadline = time.monotonic() + wait_s
    path = _manifest_path(cache, key)
    while True:
        manifest = cache_files.read_manifest(path, deadline - time.monotonic())
        if manifest is None or manifest.model != key[1]:
            return None
        try:
            left = deadline - time.monotonic()
            spoken = transcripts.read_text(cache, key[0], manifest, left)
            return _ReadTranscript(manifest.file, manifest.made_at, pack(spoken.segments))
        except CacheError:
            now = cache_files.read_manifest(path)
            if now is None or now.file == manifest.file:
                raise
            # else replaced and collected meanwhile


def _manifest_path(cache: CacheDir, key: Key) -> RootedPath:
    return cache_files.manifest_path(cache.root, key[0], Stage.TRANSCRIPT, key[1])
