"""The events of this system: inotify on Linux, watchdog's Observer elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable

from shared.watch.folders import WatchFolder
from workers.watcher.scan.events import Events


def native_events(
    folder: WatchFolder, ignored: tuple[str, ...], wake: Callable[[], None] = lambda: None
) -> Events:
    """Not started yet. Raises NoEvents."""
    if sys.platform.startswith("linux"):
        from workers.watcher.scan.inotify import InotifyEvents

        return InotifyEvents(folder, ignored, wake)
    from workers.watcher.scan.observer import ObserverEvents

    return ObserverEvents(folder, ignored, wake)
