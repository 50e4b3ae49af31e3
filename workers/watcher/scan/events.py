"""Native events: which directories of a watched folder to look at again."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from shared.watch.folders import WatchFolder
from workers.presence.root_identity import why
from workers.watcher.scan.listing import is_hidden


class NoEvents(Exception):
    """The system will not tell of changes; the message says why."""


class Events(ABC):
    """Directories in which something has changed, until they are taken. Safe for threads.

    Reading causes no event, nor does what is hidden or ignored.
    """

    def __init__(
        self,
        folder: WatchFolder,
        ignored: tuple[str, ...],
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """`wake` is called by another thread, whenever there is something new to take."""
        self._folder = folder
        self._base = folder.path.rstrip("/") + "/"
        self._ignored = ignored
        self._wake = wake
        self._changed: set[str] = set()
        self._changed_lock = threading.Lock()

    @abstractmethod
    def start(self) -> None:
        """No change is missed after this returns. Raises NoEvents. Once only."""

    @abstractmethod
    def stop(self) -> None:
        """End the reading thread."""

    @abstractmethod
    def is_alive(self) -> bool:
        """False once changes would go unnoticed, also when the root itself was moved away."""

    @abstractmethod
    def watch_listed(self, directories: Iterable[str]) -> None:
        """Directories that a scan has listed: those behind symbolic links are watched from now
        on, and told as changed once. Cheap for all that are watched already."""

    def take(self) -> set[str]:
        """Directories in which something has changed, and new ones, since the last take.

        All of them, if the system has lost events.
        """
        with self._changed_lock:
            changed, self._changed = self._changed, set()
        return changed

    def has_news(self) -> bool:
        """Whether there is something to take."""
        return bool(self._changed)

    def _tell(self, directory: str) -> None:
        with self._changed_lock:
            is_new = directory not in self._changed
            self._changed.add(directory)
        if is_new:
            self._wake()

    def _counts(self, path: str) -> bool:
        """Whether a path lies in the folder, is not hidden and not below an ignored directory."""
        if any(path == top or path.startswith(top + "/") for top in self._ignored):
            return False
        if path + "/" == self._base:
            return True
        below = path.removeprefix(self._base)
        return below != path and not any(is_hidden(name) for name in below.split(os.sep))


_OF_READING = ("opened", "closed_no_write")


class ObserverEvents(Events, FileSystemEventHandler):
    """What one Observer tells of one root."""

    def __init__(
        self, folder: WatchFolder, ignored: tuple[str, ...], wake: Callable[[], None]
    ) -> None:
        super().__init__(folder, ignored, wake)
        self._observer: Any = Observer()

    def start(self) -> None:
        try:
            self._observer.schedule(self, self._folder.path, recursive=self._folder.recursive)
            self._observer.start()
        except OSError as error:
            raise NoEvents(why(self._folder.path, error)) from error

    def stop(self) -> None:
        if self._observer.is_alive():
            self._observer.stop()
            self._observer.join()

    def is_alive(self) -> bool:
        emitters = self._observer.emitters
        return bool(
            self._observer.is_alive() and emitters and all(one.is_alive() for one in emitters)
        )

    def watch_listed(self, directories: Iterable[str]) -> None:
        """An Observer follows no symbolic links: changes behind them are found by scans."""

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in _OF_READING:
            return
        for name in (event.src_path, event.dest_path):
            path = os.fsdecode(name)
            if not path or not self._counts(path):
                continue
            if event.is_directory:
                self._tell(path)
            if path != self._folder.path:
                self._tell(os.path.dirname(path))
