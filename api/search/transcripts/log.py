"""The transcripts of one CacheDir, ready for searching; see api/search/index_log.py.

STATE_DIR/transcripts/<cache id>/spoken.1.log is a row of records: a frame, a head (all that a
search needs, held in memory) and a body (the segments that answers show, read for matches only).
A later record about the same transcript replaces the earlier one. What its segments mean follows
it as a record of its own, whose body is read when somebody searches by meaning.
"""

from __future__ import annotations

import os
import struct
import weakref
import zlib
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import msgspec

from api.search.index_log import IndexLog, Key, LogWriter
from api.search.transcripts.text import STREAM_BORDER, SearchText, TranscriptLine
from shared.cache.spoken_by import speaker_label

_NAME = "spoken.1.log"  # the number grows whenever folding or the records change
_FRAME = struct.Struct("<4sIII")  # mark, length of head and body, CRC-32 of the head
_MARK = b"RUSH"
_DEAD_BYTES_WORTH_COMPACTING = 16 << 20
_BODY = msgspec.msgpack.Decoder(tuple[TranscriptLine, ...])


class _Transcript(msgspec.Struct, frozen=True, array_like=True, tag="told"):
    """`voices`: ids of those who speak, where they were told apart; then lines know segments."""

    hash_str: str
    model: str
    file: str
    made_at: float
    folded: bytes
    starts: bytes
    speakers: tuple[str, ...]
    body_crc: int
    voices: tuple[int, ...] = ()
    has_segments: bool = False  # False: read by an earlier version


class _Meaning(msgspec.Struct, frozen=True, array_like=True, tag="meant"):
    """Of the transcript before it, read from `file`; the body are codes, none where `rows` is 0."""

    hash_str: str
    model: str
    file: str
    language: str
    rows: int
    body_crc: int


class _Removal(msgspec.Struct, frozen=True, array_like=True, tag="gone"):
    hash_str: str
    model: str


_HEAD = msgspec.msgpack.Decoder(_Transcript | _Removal | _Meaning)


class LogDamaged(Exception):
    """A body that was whole when it was written is not."""


class _LogFile:
    """An open log; compacting replaces it while searches still read it."""

    def __init__(self, file: BinaryIO) -> None:
        self.fd = os.dup(file.fileno())
        weakref.finalize(self, os.close, self.fd)


@dataclass(frozen=True, slots=True)
class _Record:
    """A record of a log that is open, read when it is needed."""

    file: _LogFile
    at: int
    head_bytes: int
    body_bytes: int

    @property
    def length(self) -> int:
        return _FRAME.size + self.head_bytes + self.body_bytes

    def body(self, crc: int) -> bytes:
        """Return the body. Raises LogDamaged where it has another CRC-32."""
        at = self.at + _FRAME.size + self.head_bytes
        found = os.pread(self.file.fd, self.body_bytes, at)
        if zlib.crc32(found) != crc:
            raise LogDamaged
        return found

    def whole(self) -> bytes:
        return os.pread(self.file.fd, self.length, self.at)


@dataclass(frozen=True, slots=True)
class MeaningRecord:
    """What is known of the meaning of a transcript's segments: codes of `rows` of them, or none."""

    language: str
    rows: int
    record: _Record
    body_crc: int

    def codes(self) -> bytes:
        """Codes of the segments. Raises LogDamaged."""
        return self.record.body(self.body_crc)


@dataclass(frozen=True, slots=True)
class IndexedTranscript:
    """One transcript. `file` is the artefact it was read from, `made_at` in Unix seconds.

    `meaning`: None where it was read by a version that knew none.
    """

    hash_str: str
    model: str
    file: str
    made_at: float
    folded: bytes
    starts: array[int]
    speakers: tuple[str, ...]  # folded, one a line, or none at all
    has_streams: bool  # then lines are not in the order of time
    body_crc: int
    record: _Record
    meaning: MeaningRecord | None = None
    voices: tuple[int, ...] = ()  # ids of S1, S2 and so on, 0: it has none
    has_segments: bool = False  # lines that are parts of a segment know it

    @property
    def voice_of(self) -> Mapping[str, int]:
        """The id of each voice that has one, by its label."""
        return {speaker_label(n): voice for n, voice in enumerate(self.voices) if voice}

    @property
    def records(self) -> Iterator[_Record]:
        yield self.record
        if self.meaning:
            yield self.meaning.record

    @property
    def key(self) -> Key:
        return self.hash_str, self.model

    def lines(self) -> tuple[TranscriptLine, ...]:
        """The segments. Raises LogDamaged."""
        return _BODY.decode(self.record.body(self.body_crc))


@dataclass(frozen=True, slots=True, eq=False)
class TranscriptSnapshot:
    """What one search sees; never changed."""

    transcripts: Mapping[Key, IndexedTranscript] = field(default_factory=dict)

    def by_hash(self) -> dict[str, list[IndexedTranscript]]:
        found: dict[str, list[IndexedTranscript]] = {}
        for transcript in self.transcripts.values():
            found.setdefault(transcript.hash_str, []).append(transcript)
        return found


class TranscriptWriter(LogWriter):
    """Adds transcripts, and the news that some are gone."""

    def add(self, key: Key, file: str, made_at: float, text: SearchText) -> None:
        """Note a transcript; it replaces an earlier one of the same model."""
        body = msgspec.msgpack.encode(text.lines)
        head = _Transcript(
            *key,
            file=file,
            made_at=made_at,
            folded=text.folded,
            starts=text.starts.tobytes(),
            speakers=text.speakers,
            body_crc=zlib.crc32(body),
            voices=text.voices,
            has_segments=bool(text.voices),
        )
        self._add(_framed(head, body))

    def add_meaning(self, key: Key, file: str, language: str, rows: int, codes: bytes) -> None:
        """Note what segments of the transcript mean that was added before; of 0 rows nothing."""
        head = _Meaning(*key, file, language, rows, zlib.crc32(codes))
        self._add(_framed(head, codes))

    def remove(self, key: Key) -> None:
        self._add(_framed(_Removal(*key), b""))


class TranscriptLog(IndexLog[TranscriptSnapshot, TranscriptWriter]):
    """One file of records, each with all that is kept of a transcript."""

    name = "transcript index"
    needs_room_for = "all text"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._file: _LogFile | None = None
        self._snapshot = TranscriptSnapshot()

    def _path(self) -> Path:
        return self._folder / _NAME

    def _start_over(self, file: BinaryIO | None) -> None:
        self._file = None if file is None else _LogFile(file)
        self._snapshot = TranscriptSnapshot()

    def _take_up(self, file: BinaryIO, start: int, size: int) -> int:
        at, fd = start, file.fileno()
        transcripts: dict[Key, IndexedTranscript] = {}
        while at + _FRAME.size <= size:
            mark, head_bytes, body_bytes, crc = _FRAME.unpack(os.pread(fd, _FRAME.size, at))
            if mark != _MARK or at + _FRAME.size + head_bytes + body_bytes > size:
                break
            head = os.pread(fd, head_bytes, at + _FRAME.size)
            if zlib.crc32(head) != crc:
                break
            try:
                entry = _HEAD.decode(head)
            except msgspec.MsgspecError:  # by another version of this program
                break
            if at == start:  # not before: a torn end is met at every look
                transcripts = dict(self._snapshot.transcripts)
            key = (entry.hash_str, entry.model)
            if isinstance(entry, _Removal):
                transcripts.pop(key, None)
            elif self._file is not None:
                record = _Record(self._file, at, head_bytes, body_bytes)
                if indexed := _indexed(entry, record, transcripts.get(key)):
                    transcripts[key] = indexed
            at += _FRAME.size + head_bytes + body_bytes
        if at > start:
            self._snapshot = TranscriptSnapshot(transcripts)
        return at

    def _content(self) -> TranscriptSnapshot:
        return self._snapshot

    def _writer(self) -> TranscriptWriter:
        self._path().touch(mode=0o600)
        return TranscriptWriter(self._append)

    def _compact_when_due(self) -> None:
        living = self.snapshot().transcripts.values()
        records = [record for transcript in living for record in transcript.records]
        dead = self._read_to - sum(record.length for record in records)
        if dead <= max(_DEAD_BYTES_WORTH_COMPACTING, self._read_to // 2):
            return
        self._replace_file(record.whole() for record in records)


def _framed(entry: _Transcript | _Removal | _Meaning, body: bytes) -> bytes:
    head = msgspec.msgpack.encode(entry)
    return _FRAME.pack(_MARK, len(head), len(body), zlib.crc32(head)) + head + body


def _indexed(
    entry: _Transcript | _Meaning, record: _Record, before: IndexedTranscript | None
) -> IndexedTranscript | None:
    """The transcript of a record, or the one `before` with what it means; None: it is of none."""
    if isinstance(entry, _Meaning):
        if before is None or before.file != entry.file:
            return None
        meaning = MeaningRecord(entry.language, entry.rows, record, entry.body_crc)
        return replace(before, meaning=meaning)
    return IndexedTranscript(
        entry.hash_str,
        entry.model,
        entry.file,
        entry.made_at,
        entry.folded,
        array("I", entry.starts),
        entry.speakers,
        STREAM_BORDER in entry.folded,
        entry.body_crc,
        record,
        voices=entry.voices,
        has_segments=entry.has_segments,
    )
