"""Brings the transcript log up to date with what a CacheDir holds."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from api.cache.view import CacheView
from api.search.transcripts.log import Key, Snapshot, Spoken, TranscriptLog, Writer
from api.search.transcripts.text import SearchText, pack
from shared.cache import cache_files, transcripts
from shared.cache.cache_dir import LISTING_WAIT_S, CacheDir
from shared.domain import Stage
from shared.errors import CacheError

_READ_AT_ONCE = 64  # transcripts between two writes to the log


@dataclass(frozen=True, slots=True)
class _Read:
    file: str
    made_at: float
    text: SearchText


class LoadedTranscripts:
    """The transcripts of one CacheDir, by all models. Safe for threads and replicas."""

    def __init__(self, view: CacheView, log: TranscriptLog) -> None:
        self._view = view
        self._log = log
        self._lock = threading.Lock()
        self._done_at: tuple[int, Snapshot] | None = None
        self._unusable: dict[Key, tuple[str, str]] = {}  # announced file, reason
        self._ordered: tuple[Snapshot, int, str, list[Spoken]] | None = None

    def snapshot(self) -> Snapshot:
        return self._log.snapshot()

    def unusable(self) -> dict[Key, str]:
        """Reasons why a transcript cannot be searched."""
        with self._lock:
            return {key: reason for key, (_, reason) in self._unusable.items()}

    def bring_up(self, wait_s: float, pool: Executor, *, retry: bool) -> None:
        """Read what was announced and is not in the log yet; cheap when nothing was.

        `retry`: try again what was unusable. Raises Unavailable after waiting for `wait_s`.
        """
        version = self._view.version
        with self._lock:
            if retry:
                self._unusable.clear()
            elif self._done_at == (version, self._log.snapshot()):
                return
        if self._todo():
            with self._log.writing(wait_s) as writer:
                deadline = time.monotonic() + LISTING_WAIT_S  # for all denied files
                # Another thread or replica may have done it while we waited.
                for some in _batched(self._todo().items(), _READ_AT_ONCE):
                    self._take_up(writer, dict(some), deadline, pool)
                    writer.flush()
        with self._lock:
            self._done_at = (version, self._log.snapshot())

    def in_order(self, preferred: str) -> list[Spoken]:
        """One transcript a MediaFile (see `answering`), by the newest known path."""
        snapshot, sightings = self._log.snapshot(), self._view.sightings
        with self._lock:
            if self._ordered and self._ordered[:3] == (snapshot, sightings, preferred):
                return self._ordered[3]
        paths = self._view.newest_paths()
        found = [answering(of_file, preferred) for of_file in snapshot.by_hash().values()]
        found.sort(key=lambda spoken: (paths.get(spoken.hash_str, ""), spoken.hash_str))
        with self._lock:
            self._ordered = (snapshot, sightings, preferred, found)
        return found

    def of_files(self, hashes: Iterable[str], preferred: str) -> list[Spoken]:
        """The same for some MediaFiles, in their order."""
        known = {spoken.hash_str: spoken for spoken in self.in_order(preferred)}
        return [known[hash_str] for hash_str in dict.fromkeys(hashes) if hash_str in known]

    def deleted(self, keys: Iterable[Key], pool: Executor) -> set[Key]:
        """Those whose artefact was deleted, in a folder that is still there."""
        keys = list(keys)
        there = pool.map(os.path.exists, [_manifest_path(self._view.cache, key) for key in keys])
        missing = {key for key, exists in zip(keys, there, strict=True) if not exists}
        # A share that vanished just now deletes nothing.
        return missing if missing and self._view.cache.is_there() else set()

    def remove(self, keys: Collection[Key], wait_s: float) -> None:
        """Forget what `deleted` said, but for what was published again meanwhile."""
        with self._log.writing(wait_s) as writer:
            for key in keys:
                self._view.correct_transcript(*key, None)
                if os.path.exists(_manifest_path(self._view.cache, key)):
                    self._view.look_at([key[0]])
                else:
                    writer.remove(key)

    def start_over(self, wait_s: float) -> None:
        """Read everything again: the log is damaged."""
        self._log.start_over(wait_s)

    def _todo(self) -> dict[Key, str]:
        known = self._log.snapshot().spoken
        with self._lock:
            unusable = {key: announced for key, (announced, _) in self._unusable.items()}
        return {
            key: file
            for key, file in self._view.transcripts().items()
            if (key not in known or known[key].file != file) and unusable.get(key) != file
        }

    def _take_up(
        self, writer: Writer, some: Mapping[Key, str], deadline: float, pool: Executor
    ) -> None:
        """Read these transcripts side by side and note them, or why they cannot be used."""

        def read(key: Key) -> _Read | CacheError | None:
            try:
                return _read(self._view.cache, key, deadline - time.monotonic())
            except CacheError as error:
                return error

        known = self._log.snapshot().spoken
        for (key, announced), found in zip(some.items(), pool.map(read, some), strict=True):
            if isinstance(found, _Read):
                self._view.correct_transcript(*key, found.file)
                if key not in known or known[key].file != found.file:
                    writer.add(key, found.file, found.made_at, found.text)
                continue
            if key in known:
                writer.remove(key)
            if found is None:
                self._view.correct_transcript(*key, None)
            else:
                with self._lock:
                    self._unusable[key] = (announced, found.message)


def answering(of_file: Iterable[Spoken], preferred: str) -> Spoken:
    """The transcript that answers for a MediaFile: the preferred model's, else the newest."""
    return max(of_file, key=lambda spoken: (spoken.model == preferred, spoken.made_at))


def _read(cache: CacheDir, key: Key, wait_s: float) -> _Read | None:
    """None where nothing is published. Raises CacheError, with the reason, for broken data."""
    deadline = time.monotonic() + wait_s
    path = _manifest_path(cache, key)
    if not cache_files.exists_after_listing(path, wait_s):
        return None
    while True:
        manifest = cache_files.read_manifest(path)
        if manifest is None or manifest.model != key[1]:
            return None
        data = cache.data_path(key[0], manifest)
        is_there = cache_files.exists_after_listing(data, deadline - time.monotonic())
        try:
            spoken = transcripts.read_text(cache, key[0], manifest)
            return _Read(manifest.file, manifest.made_at, pack(spoken.segments))
        except CacheError:
            now = cache_files.read_manifest(path)
            if now is not None and now.file != manifest.file:
                continue  # replaced and collected meanwhile
            if not is_there:
                raise CacheError(f"The file {manifest.file} is missing.") from None
            raise


def _manifest_path(cache: CacheDir, key: Key) -> Path:
    return cache_files.manifest_path(cache.root, key[0], Stage.TRANSCRIPT, key[1])


def _batched(items: Iterable[tuple[Key, str]], size: int) -> Iterable[list[tuple[Key, str]]]:
    rest = iter(items)
    while batch := list(itertools.islice(rest, size)):
        yield batch
