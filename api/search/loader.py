"""Brings an index log up to date with what its CacheDir holds."""

from __future__ import annotations

import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Generic, TypeVar

from api.cache.view import CacheView
from api.search.index_log import IndexLog, LogWriter
from shared.cache.cache_dir import LISTING_WAIT_S

Key = TypeVar("Key")  # what names an artefact in the log
Source = TypeVar("Source")  # the data files that it is read from
SnapshotT = TypeVar("SnapshotT")
WriterT = TypeVar("WriterT", bound=LogWriter)


class Loader(ABC, Generic[Key, Source, SnapshotT, WriterT]):
    """Loads the artefacts of one CacheDir into one log. Safe for threads and replicas."""

    def __init__(self, view: CacheView, log: IndexLog[SnapshotT, WriterT], pool: Executor) -> None:
        self._view = view
        self._log = log
        self._pool = pool  # for small reads, which wait for the share and not for a core
        self._lock = threading.Lock()
        self._done_at: tuple[int, SnapshotT] | None = None
        self._unusable: dict[Key, tuple[Source, str]] = {}

    def snapshot(self) -> SnapshotT:
        return self._log.snapshot()

    def unusable(self) -> dict[Key, str]:
        """Reasons why an artefact cannot be searched."""
        with self._lock:
            return {key: reason for key, (_, reason) in self._unusable.items()}

    def bring_up(self, wait_s: float, *, retry: bool) -> None:
        """Take up what was announced and is not in the log yet; cheap when nothing was.

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
                deadline = time.monotonic() + LISTING_WAIT_S  # for all denied files together
                todo = self._todo()  # another thread or replica may have done it while we waited
                for key, reason in self._load(writer, todo, deadline):
                    with self._lock:
                        self._unusable[key] = (todo[key], reason)
        with self._lock:
            self._done_at = (version, self._log.snapshot())

    def deleted(self, keys: Iterable[Key]) -> set[Key]:
        """Keys whose artefact was deleted, in a folder that is still there."""
        keys = list(keys)
        there = self._pool.map(os.path.exists, map(self._manifest_path, keys))
        missing = {key for key, exists in zip(keys, there, strict=True) if not exists}
        # A share that vanished just now deletes nothing.
        return missing if missing and self._view.cache.is_there() else set()

    def remove(self, keys: Collection[Key], wait_s: float) -> None:
        """Forget what `deleted` said, but for what was published again meanwhile."""
        with self._log.writing(wait_s) as writer:
            for key in keys:
                if os.path.exists(self._manifest_path(key)):
                    self._view.look_at([self._hash(key)])
                else:
                    self._forget(writer, key)

    def start_over(self, wait_s: float) -> None:
        """Read everything again: the log is damaged."""
        self._log.delete(wait_s)

    def _todo(self) -> dict[Key, Source]:
        held = self._held(self._log.snapshot())
        with self._lock:
            unusable = {key: announced for key, (announced, _) in self._unusable.items()}
        return {
            key: source
            for key, source in self._announced().items()
            if held.get(key) != source and unusable.get(key) != source
        }

    @abstractmethod
    def _announced(self) -> Mapping[Key, Source]:
        """What the CacheDir is said to hold."""

    @abstractmethod
    def _held(self, snapshot: SnapshotT) -> Mapping[Key, Source]:
        """What the log was made from."""

    @abstractmethod
    def _load(
        self, writer: WriterT, todo: Mapping[Key, Source], deadline: float
    ) -> Iterator[tuple[Key, str]]:
        """Read these artefacts into the log; yields each that cannot be used, and why."""

    @abstractmethod
    def _forget(self, writer: WriterT, key: Key) -> None:
        """Take an artefact out of the log and out of what is announced."""

    @abstractmethod
    def _hash(self, key: Key) -> str:
        """The MediaFile of an artefact."""

    @abstractmethod
    def _manifest_path(self, key: Key) -> Path:
        """Where the manifest of an artefact lies while it is published."""
