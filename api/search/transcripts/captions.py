"""Search in subtitles and captions that lie in files, among what was said in them.

They have a log of their own, of the form of transcripts, which is made when somebody asks for them.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from api.cache.caches import LruCache
from api.cache.view import CacheView
from api.folders import quick_map
from api.search.index_log import Key
from api.search.paging.pages import Key as SortKey
from api.search.transcripts.loader import TextLoader
from api.search.transcripts.log import (
    TranscriptLog,
    TranscriptSnapshot,
    TranscriptWriter,
)
from api.search.transcripts.passages import FoundPassage, find_passages
from api.search.transcripts.query import FileChoice, SpokenHit, SpokenQuery
from api.search.transcripts.text import SearchText, pack
from shared.cache import cache_files, captions, limits
from shared.cache.captions import CaptionKind, Captions
from shared.cache.transcripts import SpokenSegment
from shared.domain import Manifest, Stage
from shared.errors import CacheError

_FOLDER = "captions"
_NO_MODEL = ""
_BEHIND = 1 << 32  # numbers of captions come after those of segments that were heard
_Order = Callable[[str], SortKey]  # of MediaFiles, by their hash
_ReadCaptions = tuple[float, SearchText]  # when they were made, and what they say


class CaptionIndex:
    """Searches captions; one a process."""

    def __init__(self, state: Path, capacity: int) -> None:
        self._state = state
        self._loaders: LruCache[CacheView, _CaptionLoader] = LruCache(capacity)

    def among(
        self,
        hits: Sequence[SpokenHit],
        view: CacheView,
        query: SpokenQuery,
        choice: FileChoice,
    ) -> list[SpokenHit]:
        """Hits in what was said with those in captions among them; parameters as in `search`.

        For a query that searches captions.
        """
        loader, by_words = self._loader(view), replace(query, vector=None)
        found = loader.look_through(
            lambda snapshot: find_passages(
                choice.of(loader.files.of(snapshot, _NO_MODEL)),
                by_words,
                lambda *_: iter(()),
            ),
            lambda found: {one.transcript.key for one in found},
        )
        if not found:
            return list(hits)
        return _merged(hits, [_hit(one) for one in found], query, loader.order(choice))

    def unread(self, view: CacheView) -> dict[str, str]:
        """Why captions could not be taken up, by the hash of their MediaFile."""
        return {key[0]: reason for key, reason in self._loader(view).unusable().items()}

    def try_again(self, view: CacheView) -> None:
        """Take up what could not be, when somebody searches next."""
        self._loader(view).try_again()

    def _loader(self, view: CacheView) -> _CaptionLoader:
        folder = self._state / view.key / _FOLDER
        return self._loaders.get(
            view, lambda: _CaptionLoader(view, TranscriptLog(folder), view.reader)
        )


class _CaptionLoader(TextLoader[_ReadCaptions]):
    """Loads the captions of files that hold any; no model made them."""

    stage = Stage.CAPTIONS

    def order(self, choice: FileChoice) -> _Order:
        """The order of answers, as hits in what was said have it."""
        if choice.key is not None:
            return choice.key
        if choice.hashes is not None:
            numbers = {hash_str: n for n, hash_str in reversed(list(enumerate(choice.hashes)))}
            return lambda hash_str: (numbers[hash_str],)
        return self.files.key(self.snapshot(), _NO_MODEL)

    def _batches(self, todo: Mapping[Key, str]) -> Iterator[list[Key]]:
        """As many as one file may be large: what is made of them takes many times that."""
        for some in super()._batches(todo):
            batch: list[Key] = []
            left = limits.CAPTIONS
            sizes = quick_map(self._pool, lambda key: self._size(key, todo[key]), some)
            for key, size in zip(some, sizes, strict=True):
                if batch and size > left:
                    yield batch
                    batch, left = [], limits.CAPTIONS
                batch.append(key)
                left -= size
            yield batch

    def _size(self, key: Key, file: str) -> int:
        path = cache_files.data_path(self._view.cache.root, key[0], file)
        try:
            with cache_files.opened(path) as found:
                return min(found.status.st_size, limits.CAPTIONS)
        except (CacheError, OSError):  # whoever reads it says why it cannot be
            return limits.CAPTIONS

    def _announced(self) -> Mapping[Key, str]:
        found = self._view.captions.files()
        return {(hash_str, _NO_MODEL): file for hash_str, file in found.items()}

    def _correct(self, key: Key, source: str | None) -> None:
        self._view.captions.correct(key[0], source)

    def _held(self, snapshot: TranscriptSnapshot) -> Mapping[Key, str]:
        return {key: found.file for key, found in snapshot.transcripts.items()}

    def _read_by(
        self, manifest: Manifest, key: Key, deadline: float
    ) -> tuple[str, _ReadCaptions] | None:
        if not manifest.rows:
            return None
        left = deadline - time.monotonic()
        found = captions.read(self._view.cache, key[0], manifest, left)
        text = pack(_segments(found))
        if len(text.folded) > limits.CAPTIONS:  # a sign may be folded into eighteen
            raise CacheError(f"{manifest.file} holds more words than any film.")
        return manifest.file, (manifest.made_at, text)

    def _add(self, writer: TranscriptWriter, key: Key, source: str, content: _ReadCaptions) -> None:
        writer.add(key, source, *content)


def _segments(found: Captions) -> Iterator[SpokenSegment]:
    """What is read, each track as a stream of its own and the kind where a speaker would be."""
    for number, track in enumerate(found.tracks):
        for segment in track.segments:
            yield SpokenSegment(segment.start, segment.end, segment.text, number, track.kind)


def _hit(found: FoundPassage) -> SpokenHit:
    hit = found.hit
    kind = cast("CaptionKind | None", hit.speaker)
    return replace(hit, kind=kind, speaker=None, number=_BEHIND + hit.number)


def _merged(
    heard: Sequence[SpokenHit], read: Sequence[SpokenHit], query: SpokenQuery, order: _Order
) -> list[SpokenHit]:
    """Hits of two searches, in the order of either, no more than the query wants."""
    by_words = [hit for hit in heard if hit.cosine is None]
    by_meaning = heard[len(by_words) :]
    both = sorted((*by_words, *read), key=lambda hit: (hit.tier, order(hit.hash_str), hit.place))
    counts: Counter[str] = Counter()
    kept = []
    for hit in itertools.chain(both, by_meaning):
        counts[hit.hash_str] += 1
        if query.per_file is None or counts[hit.hash_str] <= query.per_file:
            kept.append(hit)
    return kept[: query.max_results]
