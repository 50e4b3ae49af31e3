"""TranscriptIndex: what was said in the MediaFiles of a CacheDir. Sync, thread-safe.

As with pictures, everything published counts as loaded: a search first takes up what is new.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import stringzilla

from api.cache.caches import Caches
from api.cache.lru import LruCache
from api.cache.view import CacheView
from api.search.transcripts import finding
from api.search.transcripts.loader import TranscriptLoader
from api.search.transcripts.log import IndexedTranscript, Key, LogDamaged, TranscriptLog
from api.search.transcripts.text import joined
from api.search.types import SkippedArtefact
from api.search.write_lock import LOAD_WAIT_S, SEARCH_WAIT_S
from shared.cache import cache_files

# Files looked through before matches are picked: few first, since these may have enough.
_FIRST_FILES, _FILES_AT_ONCE = 32, 512

Mode = Literal["substring", "fuzzy"]


@dataclass(frozen=True, slots=True)
class SpokenQuery:
    """What to look for in transcripts; `text` and `speaker` are folded, `text` is not empty.

    `model`: whose transcript answers where a file has several, if it has one by it.
    """

    text: str
    model: str
    mode: Mode = "substring"
    speaker: str | None = None
    max_results: int = 50


@dataclass(frozen=True, slots=True)
class SpokenHit:
    """One or more neighbouring segments; seconds on the container's clock, `text` as written.

    `speaker`: who says all of it. `path`: see Hit.
    """

    hash_str: str
    start: float
    end: float
    text: str
    speaker: str | None
    path: str | None


@dataclass(frozen=True, slots=True)
class TranscriptReport:
    """`files` counts MediaFiles; `missing` are hashes asked for that have no transcript."""

    files: int
    skipped: tuple[SkippedArtefact, ...] = ()
    missing: tuple[str, ...] = ()


class TranscriptIndex:
    """Searches transcripts; one a process."""

    def __init__(self, state: Path, caches: Caches) -> None:
        self._state = state
        self._caches = caches
        self._loaders: LruCache[CacheView, TranscriptLoader] = LruCache(caches.capacity)

    def load(self, view: CacheView, *, look_for_more: bool) -> TranscriptReport:
        """Bring everything in a folder, opened thoroughly, up to date.

        `look_for_more`: look into the folder of every MediaFile without a known transcript, also
        where the catalogue announces none.
        """
        loader = self._loader(view)
        if look_for_more:
            with cache_files.clear_errors(view.cache.root):
                found = view.cache.catalogue.hashes()
                without = found.difference(hash_str for hash_str, _ in view.transcripts())
                reader = view.reader
                list(reader.map(lambda hash_str: view.look_at([hash_str]), without))
        loader.bring_up(LOAD_WAIT_S, retry=True)
        self._forget_deleted(loader, loader.snapshot().transcripts, LOAD_WAIT_S)
        files = {hash_str for hash_str, _ in loader.snapshot().transcripts}
        reasons = sorted(loader.unusable().items())
        return TranscriptReport(
            len(files), tuple(SkippedArtefact(key[0], why) for key, why in reasons)
        )

    def load_for_media(self, view: CacheView, hashes: Sequence[str]) -> TranscriptReport:
        """Bring the transcripts of some MediaFiles up to date: their folders are looked into."""
        view.look_at(hashes)
        loader = self._loader(view)
        loader.bring_up(LOAD_WAIT_S, retry=True)
        wanted = set(hashes)
        asked = [key for key in loader.snapshot().transcripts if key[0] in wanted]
        self._forget_deleted(loader, asked, LOAD_WAIT_S)
        files = wanted & {hash_str for hash_str, _ in loader.snapshot().transcripts}
        reasons = sorted(loader.unusable().items())
        return TranscriptReport(
            len(files),
            tuple(SkippedArtefact(key[0], why) for key, why in reasons if key[0] in wanted),
            tuple(hash_str for hash_str in dict.fromkeys(hashes) if hash_str not in files),
        )

    def search(
        self, view: CacheView, query: SpokenQuery, hashes: Sequence[str] | None
    ) -> list[SpokenHit]:
        """Matches by file, in the order of `hashes` (None: all, by newest path), then by time."""
        loader = self._loader(view)
        while True:
            loader.bring_up(SEARCH_WAIT_S, retry=False)
            files = (
                loader.in_order(query.model)
                if hashes is None
                else loader.of_files(hashes, query.model)
            )
            try:
                found = _search(files, query)
            except LogDamaged:
                loader.start_over(SEARCH_WAIT_S)
                continue
            keys = [transcript.key for transcript, _ in found]
            if not self._forget_deleted(loader, keys, SEARCH_WAIT_S):
                break
        paths = self._caches.best_paths(view, [transcript.hash_str for transcript, _ in found])
        return [
            SpokenHit(transcript.hash_str, *passage, path=paths[transcript.hash_str])
            for transcript, passages in found
            for passage in passages
        ]

    def _loader(self, view: CacheView) -> TranscriptLoader:
        folder, pool = self._state / view.key, view.reader
        return self._loaders.get(view, lambda: TranscriptLoader(view, TranscriptLog(folder), pool))

    def _forget_deleted(
        self, loader: TranscriptLoader, keys: Collection[Key], wait_s: float
    ) -> bool:
        """Drop those of these transcripts that are in the folder no more; whether any was."""
        deleted = loader.deleted(keys)
        if deleted:
            loader.remove(deleted, wait_s)
        return bool(deleted)


_Passage = tuple[float, float, str, str | None]  # start, end, text, speaker


def _search(
    files: Sequence[IndexedTranscript], query: SpokenQuery
) -> list[tuple[IndexedTranscript, list[_Passage]]]:
    """Passages of each file that has any, `max_results` of them in all. Raises LogDamaged."""
    found = []
    left = query.max_results
    for some in _batches(files):
        for transcript in _candidates(some, query):
            spans = _spans(transcript, query)
            # By stream, then by time: the first ones in time may come last.
            chosen = list(spans if transcript.has_streams else itertools.islice(spans, left))
            if chosen:
                passages = _passages(transcript, chosen)[:left]
                found.append((transcript, passages))
                left -= len(passages)
            if not left:
                return found
    return found


def _batches(files: Sequence[IndexedTranscript]) -> Iterator[Sequence[IndexedTranscript]]:
    at, count = 0, _FIRST_FILES
    while at < len(files):
        yield files[at : at + count]
        at, count = at + count, min(2 * count, _FILES_AT_ONCE)


def _candidates(
    files: Sequence[IndexedTranscript], query: SpokenQuery
) -> Sequence[IndexedTranscript]:
    """Files that may have a match, found in one go: most archives have many short files."""
    if query.speaker is not None:
        files = [transcript for transcript in files if query.speaker in transcript.speakers]
    if query.mode == "fuzzy":
        are_alike = finding.alike([transcript.folded for transcript in files], query.text)
        return list(itertools.compress(files, are_alike))
    find, text = stringzilla.find, query.text.encode()
    return [transcript for transcript in files if find(transcript.folded, text) >= 0]


def _spans(transcript: IndexedTranscript, query: SpokenQuery) -> Iterator[finding.Span]:
    if query.mode == "fuzzy":
        spans = finding.fuzzy(transcript.folded, transcript.starts, query.text)
    else:
        spans = finding.exact(transcript.folded, transcript.starts, query.text.encode())
    return (
        (first, last)
        for first, last in spans
        if query.speaker is None or set(transcript.speakers[first : last + 1]) == {query.speaker}
    )


def _passages(transcript: IndexedTranscript, spans: list[finding.Span]) -> list[_Passage]:
    lines = transcript.lines()
    passages = []
    for first, last in spans:
        said = lines[first : last + 1]
        speakers = {line.speaker for line in said}
        speaker = speakers.pop() if len(speakers) == 1 else None
        passages.append((said[0].start, said[-1].end, joined(said), speaker))
    if transcript.has_streams:
        passages.sort(key=lambda passage: passage[:2])
    return passages
