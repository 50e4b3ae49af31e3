"""The order of files in answers, kept while neither they nor their paths change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from api.cache.view import CacheView
from api.search.paging.cursors import Key as SortKey
from api.search.transcripts.log import IndexedTranscript, TranscriptSnapshot


class FilesInOrder:
    """Orders what one log holds: one transcript a MediaFile, by its newest known path."""

    def __init__(self, view: CacheView) -> None:
        self._view = view
        self._lock = threading.Lock()
        self._kept: _KeptOrder | None = None

    def of(
        self, snapshot: TranscriptSnapshot, hashes: Iterable[str] | None, preferred: str
    ) -> list[IndexedTranscript]:
        """One transcript for each of these MediaFiles that has any (see `_answering`).

        In the order of `hashes`; of all files (None) in that of their newest known paths.
        """
        found = self._in_order(snapshot, preferred).files
        if hashes is None:
            return found
        known = {one.hash_str: one for one in found}
        return [known[hash_str] for hash_str in dict.fromkeys(hashes) if hash_str in known]

    def key(self, snapshot: TranscriptSnapshot, preferred: str) -> Callable[[str], SortKey]:
        """By what all files are ordered, those of other logs too."""
        paths = self._in_order(snapshot, preferred).paths
        return lambda hash_str: (paths.get(hash_str, ""), hash_str)

    def _in_order(self, snapshot: TranscriptSnapshot, preferred: str) -> _KeptOrder:
        sightings = self._view.sightings
        with self._lock:
            kept = self._kept
        # A snapshot is the same object until it changes.
        if kept and kept.snapshot is snapshot and kept[1:3] == (sightings, preferred):
            return kept
        paths = self._view.newest_paths()
        found = [_answering(of_file, preferred) for of_file in snapshot.by_hash().values()]
        found.sort(key=lambda one: (paths.get(one.hash_str, ""), one.hash_str))
        kept = _KeptOrder(snapshot, sightings, preferred, found, paths)
        with self._lock:
            self._kept = kept
        return kept


class _KeptOrder(NamedTuple):
    """What was put in order last, and of what."""

    snapshot: TranscriptSnapshot
    sightings: int
    preferred: str
    files: list[IndexedTranscript]
    paths: Mapping[str, str]


def _answering(of_file: Iterable[IndexedTranscript], preferred: str) -> IndexedTranscript:
    """The transcript that answers for a MediaFile: the preferred model's, else the newest."""
    return max(of_file, key=lambda found: (found.model == preferred, found.made_at))
