"""Finds segments by what they mean: codes of all segments of a log, end to end, in memory.

Codes are of four bits (api/search/codes/codes.py), not rotated: what MiniLM tells spreads evenly
over its dimensions as it is. 900 segments an hour take 180 MB in 1,000 hours.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api.search.codes.codes import BOUND, Basis, Columns, FourBitCodes, chunk_of
from api.search.frames.estimates import pieces, side_by_side
from api.search.index_log import Key
from api.search.transcripts.log import IndexedTranscript, MeaningRecord, TranscriptSnapshot
from api.search.types import QueryVectors, Scores, VectorArray
from shared.cache.sentence_rows import Rows
from shared.models.sentence_model import DIM, is_understood

_WIDTH = FourBitCodes.width(DIM)
_SPARE = 16  # a sixteenth more room than is needed now
_BASIS = Basis(np.zeros(DIM, np.float32), np.eye(DIM, dtype=np.float32))

Likeness = tuple[IndexedTranscript, int, float]  # a transcript, its segment and the cosine


def encoded(rows: Rows) -> bytes:
    """Rows as a log keeps them: codes, then factors."""
    columns = FourBitCodes.encode(_BASIS, rows)
    return columns.codes.tobytes() + columns.factors.astype("<f4").tobytes()


@dataclass(frozen=True, slots=True)
class Unsearchable:
    """How many transcripts no search by meaning finds.

    They are without rows, not in English, or their rows could not be read.
    """

    without: int
    foreign: int
    unread: int

    @classmethod
    def among(cls, transcripts: Iterable[IndexedTranscript]) -> Unsearchable:
        meanings = [one.meaning for one in transcripts if len(one.starts)]
        known = [meaning for meaning in meanings if meaning]
        languages = [meaning.language for meaning in known if not meaning.rows]
        without = sum(map(is_understood, languages))
        return cls(without, len(languages) - without, len(meanings) - len(known))


@dataclass(frozen=True, slots=True)
class _Place:
    meaning: MeaningRecord
    start: int


class Meanings:
    """Codes of one log's transcripts, brought up to date by whoever searches. Safe for threads."""

    def __init__(self, pool: Executor, threads: int) -> None:
        self._pool = pool
        self._threads = threads
        self._lock = threading.Lock()
        self._snapshot: TranscriptSnapshot | None = None
        self._columns = _columns(0)
        self._used = 0
        self._places: dict[Key, _Place] = {}

    def like(
        self,
        snapshot: TranscriptSnapshot,
        transcripts: Sequence[IndexedTranscript],
        vector: VectorArray,
        least: float,
    ) -> Iterator[Likeness]:
        """Segments of these transcripts that are at least so like a sentence, best first.

        The transcripts are those of the snapshot: of another one, rows are not theirs. Raises
        LogDamaged.
        """
        with self._lock:
            if snapshot is not self._snapshot:
                self._bring_up(snapshot)
            columns, places = self._columns, self._places
        # By place: neighbours become one range.
        wanted = [(places[one.key], one) for one in transcripts if one.key in places]
        wanted.sort(key=lambda found: found[0].start)
        starts = np.array([place.start for place, _ in wanted], np.int64)
        counts = np.array([place.meaning.rows for place, _ in wanted], np.int64)
        scores = self._scores(columns, _ranges(starts, counts), int(counts.sum()), vector)
        ends = np.cumsum(counts)
        rows = np.flatnonzero(scores >= least)
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        of_rows = np.searchsorted(ends, rows, side="right")
        firsts = ends - counts
        return (
            (wanted[n][1], int(row - firsts[n]), float(scores[row]))
            for row, n in zip(rows, of_rows, strict=True)
        )

    def _scores(
        self, columns: Columns, ranges: list[tuple[int, int]], total: int, vector: VectorArray
    ) -> Scores:
        scores = np.empty(total, np.float32)
        codes = FourBitCodes(_BASIS, len(columns.codes), columns, (0.0, 0.0))
        questions = [_BASIS.question(QueryVectors(query=vector))]
        side_by_side(
            lambda piece: codes.estimate(questions, piece, [scores]),
            pieces(ranges, total, self._threads, chunk_of(questions)),
            self._pool,
            self._threads,
        )
        return scores

    def _bring_up(self, snapshot: TranscriptSnapshot) -> None:
        """Take up what the log has and codes do not; forget what is gone.

        Rows that searches may just look at stay as they are: others come behind them, or all are
        put together anew.
        """
        found = {
            key: one.meaning
            for key, one in snapshot.transcripts.items()
            if one.meaning and one.meaning.rows
        }
        places = {
            key: place for key, place in self._places.items() if found.get(key) is place.meaning
        }
        needed = sum(meaning.rows for meaning in found.values())
        new = {key: meaning for key, meaning in found.items() if key not in places}
        columns, used = self._columns, self._used
        room = len(columns.codes) - used
        if room < sum(meaning.rows for meaning in new.values()) or used > 2 * needed:
            columns, used, new, places = _columns(needed + needed // _SPARE), 0, found, {}
        for key, meaning in new.items():
            _fill(columns, used, meaning)
            places[key] = _Place(meaning, used)
            used += meaning.rows
        self._columns, self._used, self._places = columns, used, places
        self._snapshot = snapshot


def _columns(rows: int) -> Columns:
    """Room for so many rows; nobody asks for bounds."""
    codes = np.empty((rows, _WIDTH), np.uint8)
    return Columns(codes, np.empty(rows, np.float32), np.empty(0, BOUND))


def _fill(columns: Columns, start: int, meaning: MeaningRecord) -> None:
    raw, count = meaning.codes(), meaning.rows
    codes: NDArray[np.uint8] = np.frombuffer(raw, np.uint8, count * _WIDTH)
    columns.codes[start : start + count] = codes.reshape(count, _WIDTH)
    columns.factors[start : start + count] = np.frombuffer(raw, "<f4", count, count * _WIDTH)


def _ranges(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Half-open ranges of rows, neighbours as one."""
    ends = starts + counts
    begins = np.flatnonzero(np.append(True, starts[1:] != ends[:-1])) if len(starts) else starts
    lasts = np.append(begins[1:], len(starts)) - 1 if len(starts) else starts
    return [(int(starts[a]), int(ends[b])) for a, b in zip(begins, lasts, strict=True)]
