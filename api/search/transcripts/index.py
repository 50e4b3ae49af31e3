"""TranscriptIndex: what was said in the MediaFiles of a CacheDir. Sync, thread-safe.

As with pictures, everything published counts as loaded: a search first takes up what is new.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Set
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import stringzilla

from api.cache.caches import Caches
from api.cache.lru import LruCache
from api.cache.view import CacheView
from api.search.paging.cursors import Key as SortKey
from api.search.transcripts import finding
from api.search.transcripts.loader import TranscriptLoader
from api.search.transcripts.log import IndexedTranscript, Key, LogDamaged, TranscriptLog
from api.search.transcripts.meanings import Likeness, Meanings, Unsearchable
from api.search.transcripts.text import TranscriptLine, joined
from api.search.types import SkippedArtefact, VectorArray
from api.search.write_lock import LOAD_WAIT_S, SEARCH_WAIT_S
from shared.cache import cache_files
from shared.models.sentence_model import LEAST

# Files looked through before matches are picked: few first, since these may have enough.
_FIRST_FILES, _FILES_AT_ONCE = 32, 512
_LINES_AT_ONCE = 64  # that are read, at the least, of what is found by its meaning

LONGEST_FUZZY = 200  # characters; time grows with the square of what is longer

Words = Literal["substring", "fuzzy"]
Mode = Words | Literal["semantic", "auto"]
MatchedBy = Literal["literal", "fuzzy", "semantic"]
_TIERS = get_args(MatchedBy)


@dataclass(frozen=True, slots=True)
class SpokenQuery:
    """What to look for in transcripts; `text` and `speaker` are folded, `text` is not empty.

    `model`: whose transcript answers where a file has several, if it has one by it. `vector`: what
    it means, for the modes "semantic" and "auto", which without it looks at words alone.
    """

    text: str
    model: str
    mode: Mode = "substring"
    speaker: str | None = None
    max_results: int = 50
    vector: VectorArray | None = None
    per_file: int | None = None  # of what is found by its words, at most so many in each file


@dataclass(frozen=True, slots=True)
class FileChoice:
    """Which files are searched, and in which order, where it is not the usual one.

    `only`: their hashes, None: all. `key` gives the order; files before `first` are left out.
    """

    only: Set[str] | None = None
    key: Callable[[str], SortKey] | None = None
    first: SortKey | None = None

    def of(self, files: Iterable[IndexedTranscript]) -> list[IndexedTranscript]:
        """The files that are searched."""
        chosen = [one for one in files if self.only is None or one.hash_str in self.only]
        if self.key is None:
            return chosen
        keyed = sorted((self.key(one.hash_str), n) for n, one in enumerate(chosen))
        return [chosen[n] for key, n in keyed if self.first is None or key >= self.first]


ALL_FILES = FileChoice()


@dataclass(frozen=True, slots=True)
class SpokenHit:
    """One or more neighbouring segments; seconds on the container's clock, `text` as written.

    `number`: of the first one in its transcript. `speaker`: who says all of it. `path`: see Hit.
    `cosine`: how like the query it is, where it was found by what it means.
    """

    hash_str: str
    number: int
    start: float
    end: float
    text: str
    speaker: str | None
    path: str | None
    matched_by: MatchedBy
    cosine: float | None = None

    @property
    def tier(self) -> int:
        """Words come before what is like them, and this before what means the same."""
        return _TIERS.index(self.matched_by)

    @property
    def score(self) -> float:
        return self.cosine or 0.0

    @property
    def base(self) -> float:
        return self.score

    @property
    def place(self) -> SortKey:
        """By which hits of one file are ordered; two streams may say the same at once."""
        return self.start, self.number


@dataclass(frozen=True, slots=True)
class TranscriptReport:
    """`files` counts MediaFiles; `missing` are hashes asked for that have no transcript."""

    files: int
    skipped: tuple[SkippedArtefact, ...] = ()
    missing: tuple[str, ...] = ()


class TranscriptIndex:
    """Searches transcripts; one a process."""

    def __init__(self, state: Path, caches: Caches, pool: Executor, threads: int) -> None:
        """`pool`: `threads` of it score what is searched by meaning."""
        self._state = state
        self._caches = caches
        self._pool = pool
        self._threads = threads
        self._loaders: LruCache[CacheView, _Loaded] = LruCache(caches.capacity)

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
        self,
        view: CacheView,
        query: SpokenQuery,
        hashes: Sequence[str] | None,
        choice: FileChoice = ALL_FILES,
        *,
        is_located: bool = True,
    ) -> list[SpokenHit]:
        """Matches by file, in the order of `hashes` (None: all, by newest path), then by time.

        What is found by its meaning comes after what is found by its words, the likest first.
        Unless `is_located` their `path` is None: see `located`.
        """
        loader, meanings = self._loaded(view)
        while True:
            snapshot = loader.bring_up(SEARCH_WAIT_S, retry=False)
            files = choice.of(loader.of_files(snapshot, hashes, query.model))
            try:
                found = _search(files, query, partial(meanings.like, snapshot))
            except LogDamaged:
                loader.start_over(SEARCH_WAIT_S)
                continue
            keys = {one.transcript.key for one in found}
            if not self._forget_deleted(loader, keys, SEARCH_WAIT_S):
                break
        hits = [
            SpokenHit(one.transcript.hash_str, *one.passage, None, one.matched_by, one.cosine)
            for one in found
        ]
        return self.located(view, hits) if is_located else hits

    def located(self, view: CacheView, hits: Sequence[SpokenHit]) -> list[SpokenHit]:
        """Hits with their paths."""
        paths = self._caches.best_paths(view, dict.fromkeys(hit.hash_str for hit in hits))
        return [replace(hit, path=paths[hit.hash_str]) for hit in hits]

    def unsearchable(
        self,
        view: CacheView,
        model: str,
        hashes: Sequence[str] | None,
        choice: FileChoice = ALL_FILES,
    ) -> Unsearchable:
        """How many of the transcripts that a search looks at cannot be found by meaning, and why.

        `model`, `hashes` and `choice` as in `search`.
        """
        loader = self._loader(view)
        return Unsearchable.among(choice.of(loader.of_files(loader.snapshot(), hashes, model)))

    def _loader(self, view: CacheView) -> TranscriptLoader:
        return self._loaded(view).loader

    def _loaded(self, view: CacheView) -> _Loaded:
        folder, reader = self._state / view.key, view.reader
        return self._loaders.get(
            view,
            lambda: _Loaded(
                TranscriptLoader(view, TranscriptLog(folder), reader),
                Meanings(self._pool, self._threads),
            ),
        )

    def _forget_deleted(
        self, loader: TranscriptLoader, keys: Collection[Key], wait_s: float
    ) -> bool:
        """Drop those of these transcripts that are in the folder no more; whether any was."""
        deleted = loader.deleted(keys)
        if deleted:
            loader.remove(deleted, wait_s)
        return bool(deleted)


class _Loaded(NamedTuple):
    loader: TranscriptLoader
    meanings: Meanings


_Passage = tuple[int, float, float, str, str | None]  # first segment, start, end, text, speaker
_FindLike = Callable[[Sequence[IndexedTranscript], VectorArray, float], Iterator[Likeness]]


class _Found(NamedTuple):
    transcript: IndexedTranscript
    passage: _Passage
    matched_by: MatchedBy
    cosine: float | None = None


def _search(
    files: Sequence[IndexedTranscript], query: SpokenQuery, find_like: _FindLike
) -> list[_Found]:
    """Passages as the mode wants them, `max_results` of them in all. Raises LogDamaged."""
    if query.mode in ("substring", "fuzzy"):
        return list(_by_words(files, query, query.mode))
    found: list[_Found] = []
    if query.mode == "auto":
        found += _by_words(files, query, "substring")
        if len(found) < query.max_results and len(query.text) <= LONGEST_FUZZY:
            alike = _beside(found, _by_words(files, query, "fuzzy"))
            found += itertools.islice(alike, query.max_results - len(found))
    if query.vector is not None:
        like, left = find_like(files, query.vector, LEAST), query.max_results - len(found)
        of_speaker = _by_meaning(like, query.speaker, max(left, _LINES_AT_ONCE))
        found += itertools.islice(_beside(found, of_speaker), left)
    return found


def _beside(found: Sequence[_Found], more: Iterable[_Found]) -> Iterator[_Found]:
    """What of `more` does not reach into passages found in the same transcript already."""
    taken: dict[Key, list[_Passage]] = {}
    for one in found:
        taken.setdefault(one.transcript.key, []).append(one.passage)
    for one in more:
        _, start, end, *_ = one.passage
        there = taken.get(one.transcript.key, ())
        if not any(start == a or (start < b and a < end) for _, a, b, *_ in there):
            yield one


def _by_meaning(like: Iterator[Likeness], speaker: str | None, at_once: int) -> Iterator[_Found]:
    """Segments by their likeness, read so many at a time. Raises LogDamaged."""
    of_speaker = (
        (transcript, row, cosine)
        for transcript, row, cosine in like
        if speaker is None or transcript.speakers[row : row + 1] == (speaker,)
    )
    while some := list(itertools.islice(of_speaker, at_once)):
        lines: dict[tuple[Key, int], TranscriptLine] = {}
        for transcript, of_it in itertools.groupby(
            sorted(some, key=lambda one: one[0].key), key=lambda one: one[0]
        ):
            all_lines = transcript.lines()  # much more than is wanted of it
            lines |= {(transcript.key, row): all_lines[row] for _, row, _ in of_it}
        for transcript, row, cosine in some:
            line = lines[transcript.key, row]
            passage = (row, line.start, line.end, line.text, line.speaker)
            yield _Found(transcript, passage, "semantic", cosine)


def _by_words(
    files: Sequence[IndexedTranscript], query: SpokenQuery, mode: Words
) -> Iterator[_Found]:
    """Passages of each file that has any, `max_results` of them in all. Raises LogDamaged."""
    left = query.max_results
    for some in _batches(files):
        for transcript in _candidates(some, query, mode):
            spans = _spans(transcript, query, mode)
            # By stream, then by time: the first ones in time may come last.
            most = min(left, query.per_file or left)
            chosen = list(spans if transcript.has_streams else itertools.islice(spans, most))
            for passage in _passages(transcript, chosen)[:most] if chosen else ():
                yield _Found(transcript, passage, "fuzzy" if mode == "fuzzy" else "literal")
                left -= 1
            if not left:
                return


def _batches(files: Sequence[IndexedTranscript]) -> Iterator[Sequence[IndexedTranscript]]:
    at, count = 0, _FIRST_FILES
    while at < len(files):
        yield files[at : at + count]
        at, count = at + count, min(2 * count, _FILES_AT_ONCE)


def _candidates(
    files: Sequence[IndexedTranscript], query: SpokenQuery, mode: Words
) -> Sequence[IndexedTranscript]:
    """Files that may have a match, found in one go: most archives have many short files."""
    if query.speaker is not None:
        files = [transcript for transcript in files if query.speaker in transcript.speakers]
    if mode == "fuzzy":
        are_alike = finding.alike([transcript.folded for transcript in files], query.text)
        return list(itertools.compress(files, are_alike))
    find, text = stringzilla.find, query.text.encode()
    return [transcript for transcript in files if find(transcript.folded, text) >= 0]


def _spans(
    transcript: IndexedTranscript, query: SpokenQuery, mode: Words
) -> Iterator[finding.Span]:
    if mode == "fuzzy":
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
        passages.append((first, said[0].start, said[-1].end, joined(said), speaker))
    if transcript.has_streams:
        passages.sort(key=lambda passage: passage[1])
    return passages
