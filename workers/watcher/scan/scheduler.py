"""When a watch folder is walked, and when only parts of it are looked at.

Native events say where to look; where they do not come (network shares) the modification times
of the directories do. Both may miss something, so all of it is walked now and then.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from shared.paths import Roots
from shared.settings import Settings
from shared.watch.folders import WatchFolder
from workers.presence.root_identity import needs_polling
from workers.watcher.scan.events import Events, NoEvents, ObserverEvents
from workers.watcher.scan.listing import NameRules, Scan
from workers.watcher.scan.scanner import Scanner

log = logging.getLogger(__name__)

_POLLED_SCAN_S = 60.0  # files that change in place leave the time of their directory alone
_SCAN_SHARE = 100  # a walk may take this part of the time, or idling costs too much
_LOOK_SHARE = 20  # the same of looks at what events name: a directory may hold 100,000 files
_LEAST_PAUSE_S = 0.2


class ScanResult(NamedTuple):
    """What was found. `folders` None: all was walked."""

    scan: Scan
    folders: frozenset[str] | None


class ScanScheduler:
    """When one folder is scanned; used by its thread alone. `wake` is called at every event."""

    def __init__(self, folder: WatchFolder, settings: Settings, wake: Callable[[], None]) -> None:
        self.is_scanning = False
        self.has_walked = False  # since the folder was there last
        self.is_polling: bool | None = None  # None: not found out yet
        self._folder = folder
        self._settings = settings
        self._wake = wake
        rules = NameRules.of(folder, settings)
        self._scanner = Scanner(folder, rules, Roots.media(settings).within(folder.key_roots))
        self._events: Events | None = None
        self._next_scan = 0.0  # monotonic
        self._next_look = 0.0
        self._dirty: set[str] = set()

    def look(self, checkpoint: Callable[[], None]) -> ScanResult | None:
        """What is due now, if anything. Raises Unreachable."""
        now = time.monotonic()
        self._listen()
        if now >= self._next_scan:
            return ScanResult(self._walk(now, checkpoint), None)
        if now < self._next_look:
            return None
        folders = self._named()
        if not folders:
            if self.is_polling:
                self._pause_looks(now)
            return None
        scan = self._scanner.look(folders, checkpoint)
        if self._events:
            self._events.watch_listed(scan.folders)
        self._pause_looks(now)
        return ScanResult(scan, frozenset(folders))

    def due_in(self) -> float:
        """Seconds until `look` has something to do, if no event comes before."""
        has_news = self._dirty or (self._events and self._events.has_news())
        next_look = self._next_look if self.is_polling or has_news else self._next_scan
        return max(0.0, min(self._next_scan, next_look) - time.monotonic())

    def count_work(self, seconds: float) -> None:
        """What follows from a walk took so long: that counts for its share, too."""
        self._next_scan += _SCAN_SHARE * seconds

    def walk_soon(self) -> None:
        """Walk everything at the next look."""
        self._next_scan = 0.0

    def lose(self) -> None:
        """The folder is not there: what was watched is worth nothing when it comes back."""
        self.stop()
        self.has_walked = False
        self._next_scan = 0.0

    def stop(self) -> None:
        if self._events:
            self._events.stop()
        self._events = None
        self.is_polling = None
        self._dirty.clear()

    def judge_events(self, surprises: set[str]) -> None:
        """Directories in which a walk has found something new: did events tell of each?"""
        if self._events is None or not surprises:
            return
        self._dirty |= self._events.take()
        silent = surprises - self._dirty
        if silent and self._folder.polling == "auto":
            log.warning(
                "%s: the system did not tell of new files in %s; it is polled from now on",
                self._folder.path,
                min(silent),
            )
            self._poll()

    def _walk(self, now: float, checkpoint: Callable[[], None]) -> Scan:
        self.is_scanning = True
        try:
            scan = self._scanner.scan(checkpoint)
            if self._events:
                self._events.watch_listed(scan.folders)
        finally:
            self.is_scanning = False
        spent = time.monotonic() - now
        pause = float(self._settings.watch_rescan_seconds)
        if self.is_polling:
            pause = min(pause, max(_POLLED_SCAN_S, _SCAN_SHARE * spent))
        self._next_scan = time.monotonic() + max(pause, _SCAN_SHARE * spent)
        if self.is_polling:
            self._pause_looks(time.monotonic())
        self.has_walked = True
        return scan

    def _pause_looks(self, began: float) -> None:
        now = time.monotonic()
        pause = self._settings.watch_poll_seconds if self.is_polling else _LEAST_PAUSE_S
        self._next_look = now + max(pause, _LOOK_SHARE * (now - began))

    def _named(self) -> set[str]:
        """Directories in which something may have changed."""
        if self.is_polling:
            return set(self._scanner.changed_folders())
        if self._events:
            self._dirty |= self._events.take()
        named, self._dirty = self._dirty, set()
        return named

    def _listen(self) -> None:
        """Find out how to hear of changes; begin before the first walk, so that none is missed."""
        if self._events and not self._events.is_alive():
            log.warning("%s: the system's events have ended; it is polled", self._folder.path)
            self._poll()
        if self.is_polling is not None:
            return
        if self._folder.polling == "always":
            self._poll()
            return
        system = needs_polling(self._folder.path)
        if self._folder.polling == "auto" and system:
            log.info("%s lies on %s, so it is polled", self._folder.path, system)
            self._poll()
            return
        try:
            events = native_events(self._folder, (self._folder.cache_dir,), self._wake)
            events.start()
        except NoEvents as error:
            log.warning("%s is polled: %s", self._folder.path, error)
            self._poll()
        else:
            self._events, self.is_polling = events, False

    def _poll(self) -> None:
        self.stop()
        self.is_polling = True


def native_events(
    folder: WatchFolder, ignored: tuple[str, ...], wake: Callable[[], None] = lambda: None
) -> Events:
    """Not started yet. Raises NoEvents."""
    if sys.platform.startswith("linux"):
        from workers.watcher.scan.inotify import InotifyEvents

        return InotifyEvents(folder, ignored, wake)
    return ObserverEvents(folder, ignored, wake)
