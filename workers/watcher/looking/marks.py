"""Directories in which something has changed, as the system tells it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from shared.watch.folders import WatchFolder
from workers.watcher.looking.names import is_hidden


class NoEvents(Exception):
    """The system will not tell of changes; the message says why."""


class Marks:
    """Those of one watched folder, until they are taken. Safe for threads."""

    def __init__(
        self, folder: WatchFolder, ignored: tuple[str, ...], wake: Callable[[], None]
    ) -> None:
        """`wake` is called whenever something new is marked."""
        self._base = folder.path.rstrip("/") + "/"
        self._ignored = ignored
        self._wake = wake
        self._changed: set[str] = set()
        self._lock = threading.Lock()

    def add(self, directory: str) -> None:
        with self._lock:
            is_new = directory not in self._changed
            self._changed.add(directory)
        if is_new:
            self._wake()

    def take(self) -> set[str]:
        with self._lock:
            changed, self._changed = self._changed, set()
        return changed

    def has_some(self) -> bool:
        return bool(self._changed)

    def wake(self) -> None:
        self._wake()

    def counts(self, path: str) -> bool:
        """Whether it lies in the folder, is not hidden and not below an ignored directory."""
        if any(path == top or path.startswith(top + "/") for top in self._ignored):
            return False
        if path + "/" == self._base:
            return True
        below = path.removeprefix(self._base)
        return below != path and not any(is_hidden(name) for name in below.split(os.sep))
