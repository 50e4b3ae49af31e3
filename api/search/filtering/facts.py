"""What is known of MediaFiles, as far as they are filtered or sorted by it: log, columns, index.

STATE_DIR/facts/<cache id>/facts.2.jsonl has a line for each manifest that was read. A later line
about the same one replaces the earlier.
"""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from api.cache.caches import Caches, LruCache
from api.cache.view import CacheView
from api.search.index_log import LOAD_WAIT_S, SEARCH_WAIT_S, IndexLog, Key, Loader, LogWriter
from shared.cache import cache_files
from shared.cache.cache_files import ArtefactFacts
from shared.cache.transcripts import has_folder_names
from shared.domain import Probe, Stage
from shared.msgspec_decoding import UNDECODABLE
from shared.opening import RootedPath

_log = logging.getLogger(__name__)
_NAME = "facts.2.jsonl"  # the number grows whenever a fact is made otherwise
_DEAD_LINES_WORTH_COMPACTING = 10_000


class ManifestFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one manifest says: of frames (`model` is ""), or of a transcript. None: nothing.

    `recorded` is in Unix seconds, `size` upright with square pixels, `language` a code of
    shared.models.languages.
    """

    hash_str: str
    model: str
    file: str  # the data file of the artefact
    seconds: float | None = None
    rate: float | None = None
    size: tuple[int, int] | None = None
    codecs: tuple[str, ...] = ()
    sound: bool | None = None
    recorded: float | None = None
    language: str | None = None
    has_folder_names: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.hash_str, self.model

    @classmethod
    def of(cls, hash_str: str, manifest: ArtefactFacts) -> ManifestFacts:
        """The facts of a frames or transcript manifest, which older ones have fewer of."""
        is_spoken = bool(manifest.model)  # only of sound is there a transcript
        found = cls(
            hash_str=hash_str,
            model=manifest.model,
            file=manifest.file,
            language=manifest.language,
            sound=True if is_spoken else None,
            has_folder_names=is_spoken and has_folder_names(manifest),
        )
        probe = manifest.probe
        if probe is None:
            return found
        return msgspec.structs.replace(
            found,
            seconds=probe.duration_seconds,
            rate=probe.fps,
            size=_size(probe),
            codecs=_codecs(probe),
            sound=probe.has_audio,
            recorded=unix_seconds(probe.created_at),
        )


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What all manifests of a MediaFile say together."""

    seconds: float | None = None
    rate: float | None = None
    size: tuple[int, int] | None = None
    codecs: frozenset[str] = frozenset()
    sound: bool | None = None
    recorded: float | None = None
    languages: frozenset[str] = frozenset()


def together(of_file: Mapping[str, ManifestFacts]) -> FileFacts:
    """Facts of one MediaFile, by model: those of its frames come first, and have none."""
    if len(of_file) == 1:
        (found,) = of_file.values()
        languages = frozenset((found.language,) if found.language else ())
        return FileFacts(**_plain(found), codecs=frozenset(found.codecs), languages=languages)
    plain: dict[str, Any] = {}
    for model in sorted(of_file, reverse=True):
        plain |= {name: fact for name, fact in _plain(of_file[model]).items() if fact is not None}
    every = of_file.values()
    return FileFacts(
        **plain,
        codecs=frozenset(codec for facts in every for codec in facts.codecs),
        languages=frozenset(facts.language for facts in every if facts.language),
    )


def _plain(facts: ManifestFacts) -> dict[str, Any]:
    """Facts of which a file has one each."""
    return {
        "seconds": facts.seconds,
        "rate": facts.rate,
        "size": facts.size,
        "sound": facts.sound,
        "recorded": facts.recorded,
    }


def unix_seconds(moment: str | None) -> float | None:
    """A date or time of ISO 8601, in UTC where it names no zone; None for what is none."""
    try:
        found = datetime.fromisoformat(moment or "")
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _size(probe: Probe) -> tuple[int, int] | None:
    width, height = probe.display_width or probe.width, probe.display_height or probe.height
    return (width, height) if width and height else None


def _codecs(probe: Probe) -> tuple[str, ...]:
    every = [probe.video_codec, probe.audio_codec]
    every += [stream.codec for stream in probe.video_streams]
    every += [stream.codec for stream in probe.audio_streams]
    return tuple(dict.fromkeys(codec.lower() for codec in every if codec))


Mask = NDArray[np.bool_]  # [files]
Numbers = NDArray[np.float64]  # [files], NaN where a fact is not known


@dataclass(frozen=True, slots=True)
class FactColumns:
    """Files are numbered as in `hashes`; `codecs` and `languages` say which files have each."""

    hashes: tuple[str, ...]
    seconds: Numbers
    rate: Numbers
    width: Numbers
    height: Numbers
    sound: Numbers
    recorded: Numbers
    codecs: Mapping[str, list[int]]
    languages: Mapping[str, list[int]]

    @classmethod
    def of(cls, files: Mapping[str, FileFacts]) -> FactColumns:
        codecs: dict[str, list[int]] = {}
        languages: dict[str, list[int]] = {}
        for n, facts in enumerate(files.values()):
            for codec in facts.codecs:
                codecs.setdefault(codec, []).append(n)
            for language in facts.languages:
                languages.setdefault(language, []).append(n)
        rows = [
            (f.seconds, f.rate, *(f.size or (None, None)), f.sound, f.recorded)
            for f in files.values()
        ]
        seconds, rate, width, height, sound, recorded = (
            np.array(rows, dtype=np.float64).reshape(len(rows), 6).T.copy()
        )
        return cls(tuple(files), seconds, rate, width, height, sound, recorded, codecs, languages)

    def among(self, files: list[int]) -> Mask:
        mask = np.zeros(len(self.hashes), dtype=bool)
        mask[files] = True
        return mask

    def left(self, masks: list[Mask]) -> set[str]:
        """Hashes of the files that are in all of these."""
        return {self.hashes[n] for n in np.flatnonzero(np.logical_and.reduce(masks)).tolist()}


def within(
    values: Numbers, low: float | None, high: float | None, slack: float = 0.0
) -> Iterator[Mask]:
    """Which values are known and lie between the bounds, both counted."""
    yield ~np.isnan(values)
    if low is not None:
        yield values >= low - slack
    if high is not None:
        yield values <= high + slack


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


class FactsWriter(LogWriter):
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
        self._replace_file(_encoded(FactsLine(facts=facts)) for facts in living)


def _encoded(line: FactsLine) -> bytes:
    return msgspec.json.encode(line) + b"\n"


class FactsIndex:
    """Keeps facts of all folders at hand; one a process."""

    def __init__(self, state: Path, caches: Caches) -> None:
        self._state = state
        self._loaders: LruCache[CacheView, FactsLoader] = LruCache(caches.capacity)

    def snapshot(self, view: CacheView) -> FactsSnapshot:
        """Facts of all that is published, after reading what is new of it."""
        return self._loader(view).bring_up(SEARCH_WAIT_S, retry=False)

    def load(self, view: CacheView) -> None:
        """Bring everything in a folder, opened thoroughly, up to date, and forget what is gone."""
        loader = self._loader(view)
        known = [facts.key for facts in loader.bring_up(LOAD_WAIT_S, retry=True).every]
        loader.forget_deleted(known, LOAD_WAIT_S, time.monotonic())

    def _loader(self, view: CacheView) -> FactsLoader:
        folder = self._state / view.key
        return self._loaders.get(view, lambda: FactsLoader(view, FactsLog(folder), view.reader))


class FactsLoader(Loader[str, ManifestFacts, FactsSnapshot, FactsWriter]):
    """Loads facts of the frames and transcripts of one CacheDir."""

    read_at_once = 64

    def _announced(self) -> Mapping[Key, str]:
        frames = {(hash_str, ""): file for hash_str, file in self._view.frames.files().items()}
        return frames | self._view.transcripts.files()

    def _correct(self, key: Key, source: str | None) -> None:
        if key[1]:
            self._view.transcripts.correct(key, source)
        else:
            self._view.frames.correct(key[0], source)

    def _held(self, snapshot: FactsSnapshot) -> Mapping[Key, str]:
        return {facts.key: facts.file for facts in snapshot.every}

    def _read(self, key: Key, wait_s: float) -> tuple[str, ManifestFacts] | None:
        manifest = cache_files.read_as(self._manifest_path(key), ArtefactFacts, wait_s)
        if manifest is None or manifest.model != key[1]:
            return None
        return manifest.file, ManifestFacts.of(key[0], manifest)

    def _add(self, writer: FactsWriter, key: Key, source: str, content: ManifestFacts) -> None:
        writer.add(content)

    def _manifest_path(self, key: Key) -> RootedPath:
        stage = Stage.TRANSCRIPT if key[1] else Stage.FRAMES
        return cache_files.manifest_path(self._view.cache.root, key[0], stage, key[1])
