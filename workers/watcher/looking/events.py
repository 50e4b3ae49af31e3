"""Native events: which directories of a watched folder to look at again."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Protocol

from shared.watch.folders import WatchFolder
from workers.watcher.looking.marks import Marks, NoEvents

__all__ = ["Events", "NoEvents"]


class _Source(Protocol):
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def is_alive(self) -> bool: ...
    def also(self, directories: Iterable[str]) -> None: ...


class Events:
    """Those of one root. Reading causes none, nor does what is hidden or ignored."""

    def __init__(
        self,
        folder: WatchFolder,
        ignored: tuple[str, ...],
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """`wake` is called by another thread, whenever there is something new to take."""
        self._folder = folder
        self._marks = Marks(folder, ignored, wake)
        self._source: _Source | None = None

    def start(self) -> None:
        """Once it returns, no change is missed. Raises NoEvents."""
        source = _source(self._folder, self._marks)
        source.start()
        self._source = source

    def also(self, directories: Iterable[str]) -> None:
        """Directories that a scan has listed: those behind symbolic links are watched from now
        on, and told as changed once. Cheap for all that are watched already."""
        if self._source is not None:
            self._source.also(directories)

    def take(self) -> set[str]:
        """Directories in which something has changed, and new ones, since the last take.

        All of them, if the system has lost events.
        """
        return self._marks.take()

    def has_news(self) -> bool:
        """Whether there is something to take."""
        return self._marks.has_some()

    def is_alive(self) -> bool:
        """False once changes would go unnoticed, also when the root itself was moved away."""
        return self._source is not None and self._source.is_alive()

    def stop(self) -> None:
        if self._source is not None:
            self._source.stop()
        self._source = None


def _source(folder: WatchFolder, marks: Marks) -> _Source:
    if sys.platform.startswith("linux"):
        from workers.watcher.looking.inotify import Inotify

        return Inotify(folder, marks)
    from workers.watcher.looking.observing import Observing

    return Observing(folder, marks)
