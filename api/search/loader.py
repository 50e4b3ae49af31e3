"""Brings an index log up to date with what its CacheDir holds."""

from __future__ import annotations

import itertools
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from typing import ClassVar, Generic, TypeVar

from api.cache.looks import Looks
from api.cache.view import CacheView
from api.quick_map import quick_map
from api.search.index_log import IndexLog, KeyT, SnapshotT, WriterT
from shared.cache.cache_dir import LISTING_WAIT_S
from shared.errors import CacheError
from shared.opening import RootedPath

SourceT = TypeVar("SourceT")  # the data files that an artefact is read from
ContentT = TypeVar("ContentT")  # what is read of it


class Loader(ABC, Generic[KeyT, SourceT, ContentT, SnapshotT, WriterT]):
    """Loads the artefacts of one CacheDir into one log. Safe for threads and replicas."""

    read_at_once: ClassVar[int]  # artefacts in memory

    def __init__(self, view: CacheView, log: IndexLog[SnapshotT, WriterT], pool: Executor) -> None:
        self._view = view
        self._log = log
        self._pool = pool  # for small reads, which wait for the share and not for a core
        self._looks: Looks[KeyT, bool] = Looks()  # whether artefacts are published
        self._lock = threading.Lock()
        self._done_at: tuple[int, SnapshotT] | None = None
        self._unusable: dict[KeyT, tuple[SourceT, str]] = {}

    def snapshot(self) -> SnapshotT:
        return self._log.snapshot()

    def unusable(self) -> dict[KeyT, str]:
        """Reasons why an artefact cannot be searched."""
        with self._lock:
            return {key: reason for key, (_, reason) in self._unusable.items()}

    def try_again(self) -> None:
        """Look at what was unusable once more when somebody asks next."""
        with self._lock:
            self._unusable.clear()
            self._done_at = None

    def bring_up(self, wait_s: float, *, retry: bool) -> SnapshotT:
        """Take up what was announced and is not in the log yet; cheap when nothing was.

        `retry`: try again what was unusable. Raises Unavailable after waiting for `wait_s`.
        """
        version = self._view.version
        with self._lock:
            if retry:
                self._unusable.clear()
            elif self._done_at == (version, snapshot := self._log.snapshot()):
                return snapshot
        if self._todo():
            with self._log.writing(wait_s) as writer:
                # Another thread or replica may have done it while we waited.
                self._load(writer, self._todo())
        with self._lock:
            snapshot = self._log.snapshot()
            self._done_at = (version, snapshot)
        return snapshot

    def deleted(self, keys: Iterable[KeyT], began: float = float("inf")) -> set[KeyT]:
        """Keys whose artefact was deleted, in a folder that is still there.

        `began`: a request that began then asks, see api/cache/looks.py.
        """
        there = self._looks.since(began, keys, self._are_published)
        missing = {key for key, is_there in there.items() if not is_there}
        # A share that vanished just now deletes nothing.
        return missing if missing and self._view.cache.is_there() else set()

    def remove(self, keys: Collection[KeyT], wait_s: float) -> None:
        """Forget what `deleted` said, but for what was published again meanwhile."""
        with self._log.writing(wait_s) as writer:
            for key in keys:  # before looking: what is announced meanwhile stays announced
                self._correct(key, None)
            for key, is_there in zip(keys, self._are_published(keys), strict=True):
                if is_there:
                    self._view.look_at([self._hash(key)])
                else:
                    writer.remove(key)

    def start_over(self, wait_s: float) -> None:
        """Read everything again: the log is damaged."""
        self._log.delete(wait_s)

    def _are_published(self, keys: Collection[KeyT]) -> list[bool]:
        return quick_map(self._pool, RootedPath.exists, map(self._manifest_path, keys))

    def _todo(self) -> dict[KeyT, SourceT]:
        held = self._held(self._log.snapshot())
        with self._lock:
            unusable = {key: announced for key, (announced, _) in self._unusable.items()}
        return {
            key: source
            for key, source in self._announced().items()
            if held.get(key) != source and unusable.get(key) != source
        }

    def _load(self, writer: WriterT, todo: Mapping[KeyT, SourceT]) -> None:
        deadline = time.monotonic() + LISTING_WAIT_S  # for all denied files together
        held = self._held(self._log.snapshot())
        for some in self._batches(todo):
            for key, content in zip(some, self._contents(some, deadline), strict=True):
                if reason := self._take_up(writer, key, content, held.get(key)):
                    with self._lock:
                        self._unusable[key] = (todo[key], reason)
            if self.read_at_once > 1:  # it takes hours of reading to fill FLUSH_BYTES
                writer.flush()

    def _batches(self, todo: Mapping[KeyT, SourceT]) -> Iterator[list[KeyT]]:
        """What is in memory at a time."""
        rest = iter(todo)
        while some := list(itertools.islice(rest, self.read_at_once)):
            yield some

    def _contents(
        self, keys: Collection[KeyT], deadline: float
    ) -> Iterator[ContentT | CacheError | None]:
        """What is read of each artefact: small ones side by side, a large one in this thread."""
        if self.read_at_once == 1:
            return (self._try_to_read(key, deadline) for key in keys)
        return self._pool.map(lambda key: self._try_to_read(key, deadline), keys)

    def _try_to_read(self, key: KeyT, deadline: float) -> ContentT | CacheError | None:
        try:
            return self._read(key, deadline - time.monotonic())
        except CacheError as error:
            return CacheError(error.message)  # what was read hangs on the traceback of the first

    def _take_up(
        self,
        writer: WriterT,
        key: KeyT,
        content: ContentT | CacheError | None,
        held: SourceT | None,
    ) -> str | None:
        """Bring the log up to date with one artefact; returns why it cannot be used."""
        if content is None or isinstance(content, CacheError):
            if content is None:
                self._correct(key, None)
            if held is not None:
                writer.remove(key)
            return content.message if content else None
        source = self._source_of(content)
        self._correct(key, source)
        return None if source == held else self._add(writer, key, content)

    @abstractmethod
    def _announced(self) -> Mapping[KeyT, SourceT]:
        """What the CacheDir is said to hold."""

    @abstractmethod
    def _correct(self, key: KeyT, source: SourceT | None) -> None:
        """Note for `_announced` what an artefact really is read from; None: there is none."""

    @abstractmethod
    def _held(self, snapshot: SnapshotT) -> Mapping[KeyT, SourceT]:
        """What the log was made from."""

    @abstractmethod
    def _read(self, key: KeyT, wait_s: float) -> ContentT | None:
        """Read an artefact, None where none is published. Raises CacheError, with the reason.

        `wait_s`: how long to insist, because the catalogue names it and shares deny new files.
        """

    @abstractmethod
    def _source_of(self, content: ContentT) -> SourceT:
        """The data files that it was read from."""

    @abstractmethod
    def _add(self, writer: WriterT, key: KeyT, content: ContentT) -> str | None:
        """Write what was read; returns why it cannot be."""

    @abstractmethod
    def _hash(self, key: KeyT) -> str:
        """The MediaFile of an artefact."""

    @abstractmethod
    def _manifest_path(self, key: KeyT) -> RootedPath:
        """Where the manifest of an artefact lies while it is published."""
