"""Where a folded query stands in the folded text of one transcript: exactly, or nearly.

stringzilla finds four to five times faster than `bytes.find`, which a search is all about.
"""

from __future__ import annotations

import bisect
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import stringzilla
from rapidfuzz import fuzz, process

from api.cache.view import CacheView
from api.search.paging.pages import Key as SortKey
from api.search.transcripts.log import IndexedTranscript, TranscriptSnapshot

# Percent of rapidfuzz's partial ratio that a near match must reach: one wrong letter in five.
ALIKE = 80.0
_THREADS = min(4, os.cpu_count() or 1)


class FilesInOrder:
    """Orders what one log holds: one transcript a MediaFile, by its newest known path."""

    def __init__(self, view: CacheView) -> None:
        self._view = view
        self._lock = threading.Lock()
        self._kept: _KeptOrder | None = None

    def of(self, snapshot: TranscriptSnapshot, preferred: str) -> list[IndexedTranscript]:
        """Return a transcript for each MediaFile that has any, by their newest known paths.

        The preferred model's, else the newest one.
        """
        return self._in_order(snapshot, preferred).files

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
        found = [
            max(of_file, key=lambda one: (one.model == preferred, one.made_at))
            for of_file in snapshot.by_hash().values()
        ]
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


Span = tuple[int, int]  # first and last segment of a match


def exact(folded: bytes, starts: Sequence[int], query: bytes) -> Iterator[Span]:
    """One match for each segment in which the query begins, in order."""
    at = _find(folded, query, 0)
    while at >= 0:
        first = bisect.bisect_right(starts, at) - 1
        yield first, bisect.bisect_right(starts, at + len(query) - 1) - 1
        if first + 1 == len(starts):
            return
        at = _find(folded, query, starts[first + 1])


def _find(folded: bytes, query: bytes, start: int) -> int:
    """Where the query stands from `start` on, -1 if nowhere."""
    at: int = stringzilla.find(folded, query, start)
    while at >= 0 and _is_accent(folded, at + len(query)):
        at = stringzilla.find(folded, query, at + 1)
    return at


def _is_accent(folded: bytes, at: int) -> bool:
    """Whether an accent (U+0300 to U+036F) stands there, which makes another letter of the last.

    Accents that have a composed form are in it. Vowel signs of other scripts are none: there, the
    query may be the begin of a syllable.
    """
    return b"\xcc\x80" <= folded[at : at + 2] <= b"\xcd\xaf"


def alike(texts: Sequence[bytes], query: str) -> list[bool]:
    """Of each folded text, whether any part of it is at least `ALIKE` to the query."""
    letters = {letter.encode(): times for letter, times in Counter(query).items()}
    found = [_has_letters(text, letters, len(query)) for text in texts]
    worth_it = [n for n, is_possible in enumerate(found) if is_possible]
    # To rapidfuzz, ASCII is the same as bytes and as text.
    decoded = [texts[n] if texts[n].isascii() else texts[n].decode() for n in worth_it]
    # All at once, since only so it uses several cores and leaves Python to other threads.
    ratios = process.cpdist(
        [query] * len(decoded),
        decoded,
        scorer=fuzz.partial_ratio,
        score_cutoff=ALIKE,
        workers=_THREADS,
    )
    for n, text, ratio in zip(worth_it, decoded, ratios, strict=True):
        found[n] = bool(ratio > 0) if len(text) >= len(query) else _is_alike(query, text)
    return found


def _has_letters(folded: bytes, letters: Mapping[bytes, int], length: int) -> bool:
    """Whether enough of the query's characters are anywhere in the text for it to be alike.

    A part of w characters, L of them in common with the query of m, has the ratio 2L / (m + w).
    L is at most w, so that 80 percent need L to be two thirds of m.
    """
    may_lack = length // 3
    for letter, times in letters.items():
        if stringzilla.find(folded, letter) < 0:
            may_lack -= times
            if may_lack < 0:
                return False
    return True


def fuzzy(folded: bytes, starts: Sequence[int], query: str) -> Iterator[Span]:
    """Near matches in a text that is `alike`: what is at least `ALIKE` to the query, in order.

    A segment that holds a near match alone is one; else its end with the begin of what follows.
    """
    for n, start in enumerate(starts):
        end = starts[n + 1] if n + 1 < len(starts) else len(folded)
        segment = folded[start:end].decode()
        if _is_alike(query, segment.rstrip()):
            yield n, n
        elif n + 1 < len(starts) and not segment.endswith("\n"):
            tail = segment[-len(query) :]
            # A character has four bytes at the most; the last one may be cut.
            after = folded[end : end + 4 * len(query)].decode(errors="ignore")
            after = after[: len(query)].partition("\n")[0]
            found = fuzz.partial_ratio_alignment(query, tail + after, score_cutoff=ALIKE)
            reaches_over = found and found.dest_start < len(tail) < found.dest_end
            if found and reaches_over and _is_alike(query, tail + after):
                reached = len(after[: found.dest_end - len(tail)].encode())
                yield n, bisect.bisect_right(starts, end + reached - 1) - 1


def _is_alike(query: str, text: str | bytes) -> bool:
    # In a text shorter than the query, the partial ratio would look for the text in the query.
    ratio = fuzz.partial_ratio if len(text) >= len(query) else fuzz.ratio
    return ratio(query, text, score_cutoff=ALIKE) > 0
