"""Events on systems other than Linux: watchdog's Observer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from shared.watch.folders import WatchFolder
from workers.presence.root_identity import why
from workers.watcher.scan.events import Events, NoEvents

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
