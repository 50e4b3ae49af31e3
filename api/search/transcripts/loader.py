"""Brings the transcript log up to date with what a CacheDir holds."""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import msgspec

from api.cache.view import CacheView
from api.search.index_log import SEARCH_WAIT_S, ContentT, Key, Loader
from api.search.transcripts.finding import FilesInOrder
from api.search.transcripts.log import (
    IndexedTranscript,
    LogDamaged,
    TranscriptLog,
    TranscriptSnapshot,
    TranscriptWriter,
)
from api.search.transcripts.meanings import encoded
from api.search.transcripts.text import SearchText, TranscriptLine, pack
from shared.cache import cache_files, sentence_rows, speakers, transcripts
from shared.cache.cache_dir import CacheDir
from shared.cache.spoken_by import by_speaker
from shared.cache.transcripts import Segment, SpokenText, Transcript
from shared.domain import Manifest, Stage
from shared.errors import CacheError
from shared.opening import RootedPath

FoundT = TypeVar("FoundT")
_BESIDE = "/"  # between a transcript's data file and that of its speakers: in no file's name
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _ReadTranscript:
    made_at: float
    text: SearchText
    language: str
    rows: sentence_rows.Rows | None  # of its segments, as they came; None: it has none
    unread: str | None  # why rows that it has are not known


class TextLoader(Loader[str, ContentT, TranscriptSnapshot, TranscriptWriter]):
    """Loads texts with times, one for each MediaFile and model."""

    read_at_once = 64
    stage: ClassVar[Stage]

    def __init__(self, view: CacheView, log: TranscriptLog, pool: Executor) -> None:
        super().__init__(view, log, pool)
        self.files = FilesInOrder(view)

    def look_through(
        self,
        find: Callable[[TranscriptSnapshot], FoundT],
        keys_of: Callable[[FoundT], Collection[Key]],
    ) -> FoundT:
        """Return what is found in the newest that is there, of which none is deleted.

        A log that is damaged is made again.
        """
        while True:
            snapshot = self.bring_up(SEARCH_WAIT_S, retry=False)
            try:
                found = find(snapshot)
            except LogDamaged:
                self._log.delete(SEARCH_WAIT_S)
                continue
            if not self.forget_deleted(keys_of(found), SEARCH_WAIT_S):
                return found

    def _read(self, key: Key, wait_s: float) -> tuple[str, ContentT] | None:
        """One that is replaced and collected meanwhile is read again."""
        path, deadline = self._manifest_path(key), time.monotonic() + wait_s
        while True:
            manifest = cache_files.read_manifest(path, deadline - time.monotonic())
            if manifest is None:
                return None
            try:
                return self._read_by(manifest, key, deadline)
            except CacheError:
                now = cache_files.read_manifest(path)
                if now is None or now.file == manifest.file:
                    raise

    @abstractmethod
    def _read_by(
        self, manifest: Manifest, key: Key, deadline: float
    ) -> tuple[str, ContentT] | None:
        """Return what `_read` does, of the artefact of this manifest."""

    def _manifest_path(self, key: Key) -> RootedPath:
        return cache_files.manifest_path(self._view.cache.root, key[0], self.stage, key[1])


class TranscriptLoader(TextLoader[_ReadTranscript]):
    """Loads transcripts by all models."""

    stage = Stage.TRANSCRIPT

    def _announced(self) -> Mapping[Key, str]:
        told = self._view.speakers.files()
        found = self._view.transcripts.files()
        return {key: _source(file, told.get(key, "")) for key, file in found.items()}

    def _correct(self, key: Key, source: str | None) -> None:
        file, _, told = (source or "").partition(_BESIDE)
        self._view.transcripts.correct(key, file or None)
        if source is not None:
            self._view.speakers.correct(key, told or None)

    def _held(self, snapshot: TranscriptSnapshot) -> Mapping[Key, str]:
        # Rows that could not be read are tried again, as what is unusable is. So is what was read
        # by a version that knew no meaning, or no whole segments.
        return {
            key: found.file if found.meaning and _has_segments(found) else ""
            for key, found in snapshot.transcripts.items()
        }

    def _read_by(
        self, manifest: Manifest, key: Key, deadline: float
    ) -> tuple[str, _ReadTranscript] | None:
        if manifest.model != key[1]:
            return None
        cache, hash_str = self._view.cache, key[0]
        spoken, text, file = _text(cache, hash_str, manifest, deadline - time.monotonic())
        left = deadline - time.monotonic()
        rows, unread = _rows(cache, hash_str, manifest, len(spoken.segments), left)
        return file, _ReadTranscript(manifest.made_at, text, spoken.language, rows, unread)

    def _add(
        self, writer: TranscriptWriter, key: Key, source: str, content: _ReadTranscript
    ) -> str | None:
        text, rows = content.text, content.rows
        known = self._log.snapshot().transcripts.get(key)
        if known is None or known.file != source or not _has_segments(known):
            writer.add(key, source, content.made_at, text)
        if content.unread:
            return f"It is found by its words alone: {content.unread}"
        of_lines = None if rows is None else rows[list(text.numbers)]
        count, codes = (0, b"") if of_lines is None else (len(of_lines), encoded(of_lines))
        writer.add_meaning(key, source, content.language, count, codes)
        return None


def _has_segments(found: IndexedTranscript) -> bool:
    """Return True if a transcript was read with its whole segments, or nobody's part is apart."""
    return found.has_segments or not found.speakers or _BESIDE not in found.file


def _text(
    cache: CacheDir, hash_str: str, manifest: Manifest, wait_s: float
) -> tuple[SpokenText | Transcript, SearchText, str]:
    """A transcript, its text by who speaks where that was told apart, and what was read for it.

    Speakers that cannot be read are none: who reads transcripts is told.
    """
    told = speakers.find(cache, hash_str, manifest)
    if told is None:
        spoken = transcripts.read_text(cache, hash_str, manifest, wait_s)
        return spoken, pack(spoken.segments), manifest.file
    whole = transcripts.read(cache, hash_str, manifest)
    voices: tuple[int, ...] = ()
    try:
        found = speakers.read(cache, hash_str, told)
        parts = by_speaker(whole.segments, found.turns)
        voices = tuple(speaker.id for speaker in found.speakers)
    except CacheError as error:
        log.warning("%s: %s", hash_str, error.message)
        parts = by_speaker(whole.segments, [])
    text = pack([part.segment for part in parts])
    numbers = tuple(parts[number].number for number in text.numbers)
    sizes = Counter(part.number for part in parts)
    lines = tuple(
        _part_of(line, whole.segments[number]) if sizes[number] > 1 else line
        for line, number in zip(text.lines, numbers, strict=True)
    )
    text = replace(text, lines=lines, numbers=numbers, voices=voices)
    return whole, text, _source(manifest.file, told.file)


def _part_of(line: TranscriptLine, segment: Segment) -> TranscriptLine:
    whole = segment.start, segment.end, segment.text.strip()
    return msgspec.structs.replace(line, segment=whole)


def _source(file: str, told: str) -> str:
    return f"{file}{_BESIDE}{told}" if told else file


def _rows(
    cache: CacheDir, hash_str: str, manifest: Manifest, segments: int, wait_s: float
) -> tuple[sentence_rows.Rows | None, str | None]:
    """Rows of its segments, or why they cannot be read: it can be searched by its words still."""
    try:
        rows = sentence_rows.read(cache, hash_str, manifest, wait_s)
    except CacheError as error:
        return None, error.message
    if rows is not None and len(rows) != segments:
        return None, f"{manifest.pack} holds {len(rows)} rows for {segments} segments."
    return rows, None
