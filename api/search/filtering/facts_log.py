"""Facts of the files of one CacheDir, ready for filtering; see api/search/index_log.py.

STATE_DIR/facts/<cache id>/facts.2.jsonl has a line for each manifest that was read. A later line
about the same one replaces the earlier.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec

from api.search.filtering.columns import FactColumns
from api.search.filtering.facts import FileFacts, ManifestFacts, together
from api.search.index_log import IndexLog, LogWriter
from shared.cache import cache_files
from shared.msgspec_decoding import UNDECODABLE
from shared.private_files import private

_log = logging.getLogger(__name__)
_NAME = "facts.2.jsonl"  # the number grows whenever a fact is made otherwise
_DEAD_LINES_WORTH_COMPACTING = 10_000

Key = tuple[str, str]  # hash_str, and the model of a transcript or "" for frames


class FactsLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """Facts, or the key of a manifest that is gone."""

    facts: ManifestFacts | None = None
    gone: Key | None = None


_LINE = msgspec.json.Decoder(FactsLine)


@dataclass(frozen=True, eq=False)
class FactsSnapshot:
    """What one request sees, never changed: facts by hash_str, of each manifest and together."""

    manifests: Mapping[str, Mapping[str, ManifestFacts]] = field(default_factory=dict)
    files: Mapping[str, FileFacts] = field(default_factory=dict)

    def changed(self, lines: Iterable[FactsLine]) -> FactsSnapshot:
        """A snapshot after further lines; what they are not about is taken over."""
        manifests: dict[str, Mapping[str, ManifestFacts]] = dict(self.manifests)
        touched: dict[str, dict[str, ManifestFacts]] = {}
        for line in lines:
            key = line.facts.key if line.facts else line.gone
            if key is None:
                continue
            of_file = touched.setdefault(key[0], dict(manifests.get(key[0], {})))
            if line.facts:
                of_file[key[1]] = line.facts
            else:
                of_file.pop(key[1], None)
        files = dict(self.files)
        for hash_str, of_file in touched.items():
            manifests[hash_str], files[hash_str] = of_file, together(of_file)
            if not of_file:
                del manifests[hash_str], files[hash_str]
        return FactsSnapshot(manifests, files)

    @functools.cached_property
    def columns(self) -> FactColumns:
        return FactColumns.of(self.files)

    @property
    def every(self) -> Iterator[ManifestFacts]:
        return (facts for of_file in self.manifests.values() for facts in of_file.values())


class FactsWriter(LogWriter[Key]):
    """Adds facts, and the news that some are gone."""

    def add(self, facts: ManifestFacts) -> None:
        self._add(_encoded(FactsLine(facts=facts)))

    def remove(self, key: Key) -> None:
        self._add(_encoded(FactsLine(gone=key)))


class FactsLog(IndexLog[FactsSnapshot, FactsWriter]):
    """One file of lines, each with all that is kept of a manifest."""

    name = "index of facts"
    needs_room_for = "what is known of all files"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._snapshot = FactsSnapshot()
        self._lines = 0

    def _path(self) -> Path:
        return self._folder / _NAME

    def _start_over(self, file: BinaryIO | None) -> None:
        self._snapshot, self._lines = FactsSnapshot(), 0

    def _take_up(self, file: BinaryIO, start: int, size: int) -> int:
        data = os.pread(file.fileno(), size - start, start)
        whole = data.rfind(b"\n") + 1
        lines = data[:whole].splitlines()
        self._lines += len(lines)
        if lines:
            self._snapshot = self._snapshot.changed(filter(None, map(self._decoded, lines)))
        return start + whole

    def _decoded(self, raw: bytes) -> FactsLine | None:
        try:
            return _LINE.decode(raw)
        except UNDECODABLE:
            _log.warning("skipped a damaged line of the facts in %s", self._folder)
            return None

    def _content(self) -> FactsSnapshot:
        return self._snapshot

    def _writer(self) -> FactsWriter:
        self._path().touch(mode=0o600)
        return FactsWriter(self._append)

    def _compact_when_due(self) -> None:
        living = list(self.snapshot().every)
        dead = self._lines - len(living)
        if dead <= max(_DEAD_LINES_WORTH_COMPACTING, self._lines // 2):
            return
        temporary = self._folder / cache_files.temporary_name(_NAME, "compact")
        try:
            with open(temporary, "xb", opener=private) as file:
                file.writelines(_encoded(FactsLine(facts=facts)) for facts in living)
            os.replace(temporary, self._path())
        except OSError:
            temporary.unlink(missing_ok=True)
            raise


def _encoded(line: FactsLine) -> bytes:
    return msgspec.json.encode(line) + b"\n"
