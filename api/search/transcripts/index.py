"""TranscriptIndex: what was said in the MediaFiles of a CacheDir. Sync, thread-safe.

As with pictures, everything published counts as loaded: a search first takes up what is new.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from api.cache.caches import Caches, LruCache
from api.cache.view import CacheView
from api.search.answers import Skipped
from api.search.index_log import LOAD_WAIT_S, Key
from api.search.transcripts.captions import CaptionIndex
from api.search.transcripts.loader import TranscriptLoader
from api.search.transcripts.log import IndexedTranscript, TranscriptLog, TranscriptSnapshot
from api.search.transcripts.meanings import Meanings
from api.search.transcripts.passages import Stretches, find_passages, stretches_of
from api.search.transcripts.query import (
    ALL_FILES,
    FileChoice,
    SpeakerChoice,
    SpokenHit,
    SpokenQuery,
)
from api.search.types import LoadReport
from shared.cache import cache_files

FoundT = TypeVar("FoundT")


class TranscriptIndex:
    """Searches transcripts; one a process."""

    def __init__(self, state: Path, caches: Caches, pool: Executor, threads: int) -> None:
        """`pool`: `threads` of it score what is searched by meaning."""
        self._state = state
        self._caches = caches
        self._pool = pool
        self._threads = threads
        self._loaders: LruCache[CacheView, _Loaded] = LruCache(caches.capacity)
        self._captions = CaptionIndex(state, caches.capacity)

    def load(self, view: CacheView, *, look_for_more: bool) -> LoadReport:
        """Bring everything in a folder, opened thoroughly, up to date.

        `look_for_more`: look into the folder of every MediaFile without a known transcript, also
        where the catalogue announces none.
        """
        if look_for_more:
            with cache_files.clear_errors(view.cache.root):
                found = view.cache.catalogue.hashes()
                without = found.difference(hash_str for hash_str, _ in view.transcripts.files())
                reader = view.reader
                list(reader.map(lambda hash_str: view.look_at([hash_str]), without))
        return self._bring_up(view, None)

    def load_for_media(self, view: CacheView, hashes: Sequence[str]) -> LoadReport:
        """Bring the transcripts of some MediaFiles up to date: their folders are looked into."""
        view.look_at(hashes)
        return self._bring_up(view, set(hashes))

    def _bring_up(self, view: CacheView, wanted: set[str] | None) -> LoadReport:
        """Bring transcripts up to date, and forget those that are gone, of these MediaFiles."""
        loader = self._loader(view)
        self._captions.try_again(view)
        loader.bring_up(LOAD_WAIT_S, retry=True)

        def of_wanted(keys: Iterable[Key]) -> list[Key]:
            return [key for key in keys if wanted is None or key[0] in wanted]

        loader.forget_deleted(of_wanted(loader.snapshot().transcripts), LOAD_WAIT_S)
        files = {hash_str for hash_str, _ in of_wanted(loader.snapshot().transcripts)}
        reasons = loader.unusable()
        return LoadReport(
            transcription_files=len(files),
            skipped=[Skipped(hash_str=k[0], reason=reasons[k]) for k in sorted(of_wanted(reasons))],
            missing=(wanted or set()) - files,
        )

    def search(
        self,
        view: CacheView,
        query: SpokenQuery,
        choice: FileChoice = ALL_FILES,
        *,
        is_located: bool = True,
    ) -> list[SpokenHit]:
        """Matches by file, in the order of the choice, then by time.

        What is found by its meaning comes after what is found by its words, the likest first.
        Captions that lie in the files are among the rest where the query wants them.
        Unless `is_located` their `path` is None: see `located`.
        """
        meanings = self._loaded(view).meanings
        found = self._looked_through(
            view, query.model, choice,
            lambda snapshot, files: find_passages(files, query, partial(meanings.like, snapshot)),
            lambda found: {one.transcript.key for one in found},
        )  # fmt: skip
        hits = [one.hit for one in found]
        if query.searches_captions:
            hits = self._captions.among(hits, view, query, choice)
        return self.located(view, hits) if is_located else hits

    def said_by(
        self,
        view: CacheView,
        speaker: SpeakerChoice,
        model: str,
        choice: FileChoice = ALL_FILES,
    ) -> dict[str, Stretches]:
        """When somebody speaks, by the hash of the MediaFile; the rest is as in `search`."""
        found = self._looked_through(
            view, model, choice, lambda _, files: stretches_of(files, speaker), set
        )
        return {hash_str: stretches for (hash_str, _), stretches in found.items()}

    def located(self, view: CacheView, hits: Sequence[SpokenHit]) -> list[SpokenHit]:
        """Hits with their paths."""
        paths = self._caches.best_paths(view, dict.fromkeys(hit.hash_str for hit in hits))
        return [replace(hit, path=paths[hit.hash_str]) for hit in hits]

    def at_hand(
        self,
        view: CacheView,
        model: str,
        choice: FileChoice = ALL_FILES,
    ) -> list[IndexedTranscript]:
        """The transcripts that the last search looked at; parameters as in `search`."""
        loader = self._loader(view)
        return choice.of(loader.files.of(loader.snapshot(), model))

    def unread_captions(self, view: CacheView) -> dict[str, str]:
        """Why the last search could not look at the captions of some MediaFiles, by hash."""
        return self._captions.unread(view)

    def _looked_through(
        self,
        view: CacheView,
        model: str,
        choice: FileChoice,
        find: Callable[[TranscriptSnapshot, list[IndexedTranscript]], FoundT],
        keys_of: Callable[[FoundT], Collection[Key]],
    ) -> FoundT:
        """What is found in transcripts of which none is deleted, by the newest that is there."""
        loader = self._loader(view)

        def find_in(snapshot: TranscriptSnapshot) -> FoundT:
            return find(snapshot, choice.of(loader.files.of(snapshot, model)))

        return loader.look_through(find_in, keys_of)

    def _loader(self, view: CacheView) -> TranscriptLoader:
        return self._loaded(view).loader

    def _loaded(self, view: CacheView) -> _Loaded:
        folder = self._state / view.key
        return self._loaders.get(
            view,
            lambda: _Loaded(
                TranscriptLoader(view, TranscriptLog(folder), view.reader),
                Meanings(self._pool, self._threads),
            ),
        )


class _Loaded(NamedTuple):
    loader: TranscriptLoader
    meanings: Meanings
