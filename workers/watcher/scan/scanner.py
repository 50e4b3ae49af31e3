"""What is in a watched folder: all of it, or some of its directories."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from shared.errors import NotAllowed
from shared.opening import OpenedFolder, open_folder
from shared.paths import Roots, location_of
from shared.settings import Settings
from shared.watch.folders import WatchFolder
from workers.presence.root_identity import Unreachable, needs_polling, printable, why
from workers.watcher.scan.events import Events, NoEvents, ObserverEvents
from workers.watcher.scan.listing import VANISHED, DirectoryStamp, Lister, Listing, NameRules, Scan

log = logging.getLogger(__name__)


class ScanScope:
    """The watched folder with all that decides what is looked at in it."""

    def __init__(self, folder: WatchFolder, rules: NameRules, roots: Roots) -> None:
        self.root = folder.path
        self.is_recursive = folder.recursive
        self._groups = folder.image_sequences == "skip"
        self._rules = rules
        self._roots = roots
        self._cache_dir = folder.cache_dir
        self._closed: set[tuple[int, int]] = set()

    def open(self) -> None:
        """Before each walk. Raises Unreachable."""
        try:
            self.folder(self.root).close()
        except NotAllowed as error:
            raise Unreachable(error.message) from error
        except OSError as error:
            raise Unreachable(why(self.root, error)) from error
        self._closed = set()
        for closed in (self._cache_dir, self._roots.forbidden):
            try:
                status = os.stat(closed)
            except OSError:
                continue  # not made yet
            self._closed.add((status.st_dev, status.st_ino))

    def lister(self, checkpoint: Callable[[], None]) -> Lister:
        return Lister(self._rules, groups=self._groups, checkpoint=checkpoint)

    def folder(self, path: str) -> OpenedFolder:
        """Raises OSError, and NotAllowed for what leads out of the roots."""
        return open_folder(path, self._roots)

    def is_closed(self, folder: OpenedFolder, stamp: DirectoryStamp, is_link: bool) -> bool:
        """The CacheDir, the server's own folder, or a link into them."""
        if folder.path == self._cache_dir or (stamp.device, stamp.inode) in self._closed:
            return True
        cache = os.path.realpath(self._cache_dir).rstrip("/") + "/" if is_link else ""
        return is_link and location_of(folder.fd).startswith(cache)


class Walk:
    """One look. Directories in `known` are passed by unless they are asked for."""

    def __init__(
        self,
        scope: ScanScope,
        checkpoint: Callable[[], None],
        known: dict[str, DirectoryStamp],
        before: dict[str, DirectoryStamp],
    ) -> None:
        """`before`: all directories as they were at the looks before."""
        self.scan = Scan()
        self.refused: set[str] = set()
        self.troubled: set[str] = set()
        self.below: dict[str, set[str]] = {}  # directory -> those in it
        self._scope = scope
        self._lister = scope.lister(checkpoint)
        self._checkpoint = checkpoint
        self._known = known
        self._before = before
        self._names = {(stamp.device, stamp.inode): path for path, stamp in known.items()}
        self._links: list[str] = []

    def run(self, paths: Iterable[str]) -> Scan:
        """Raises Unreachable."""
        self._scope.open()
        waiting = list(paths)
        while waiting or self._links:
            self._checkpoint()
            # Links last: of two names for one directory, the real one is kept.
            if waiting:
                waiting += self._enter(waiting.pop(), is_link=False)
            else:
                waiting += self._enter(self._links.pop(0), is_link=True)
        return self.scan

    def _enter(self, path: str, *, is_link: bool) -> list[str]:
        """List one directory; those below it that are to be entered."""
        is_root = path == self._scope.root
        try:
            with self._scope.folder(path) as folder:
                status = os.fstat(folder.fd)
                stamp = DirectoryStamp(status.st_mtime_ns, status.st_dev, status.st_ino)
                if not is_root and self._is_refused(folder, stamp, is_link):
                    self.refused.add(path)
                    return []
                listing = self._lister.listing(folder)
        except NotAllowed as error:
            if is_root:
                raise Unreachable(error.message) from error
            self.refused.add(path)
            return []
        except OSError as error:
            self._failed(path, error)
            return []
        if is_root and path in listing.problems:
            raise Unreachable(listing.problems[path])
        if not is_root and listing.is_cache_dir:
            self.refused.add(path)
            return []
        self._names[stamp.device, stamp.inode] = path
        if not is_root and listing.is_empty and self._has_lost_its_mount(path, stamp):
            self._trouble(path, f"The disk or share of {printable(path)} is no longer mounted.")
            return []
        return self._take(path, stamp, listing)

    def _take(self, path: str, stamp: DirectoryStamp, listing: Listing) -> list[str]:
        scan = self.scan
        scan.files |= listing.files
        scan.sequences |= listing.sequences
        scan.problems |= listing.problems
        if listing.problems:
            self.troubled.add(path)
        if path not in listing.problems:
            scan.folders[path] = stamp
            self.below[path] = {*listing.folders, *listing.links}
        if not self._scope.is_recursive:
            return []
        inside = [*listing.folders, *listing.links]
        scan.passed_by.update(found for found in inside if found in self._known)
        self._links += sorted(link for link in listing.links if link not in self._known)
        return [found for found in listing.folders if found not in self._known]

    def _is_refused(self, folder: OpenedFolder, stamp: DirectoryStamp, is_link: bool) -> bool:
        if self._scope.is_closed(folder, stamp, is_link):
            return True
        path = folder.path
        other = self._names.get((stamp.device, stamp.inode), path)
        if other == path or self._has_lost(other):
            return False
        try:
            status = os.stat(other)
        except OSError:
            return False  # it was moved here
        return (status.st_dev, status.st_ino) == (stamp.device, stamp.inode)

    def _has_lost(self, path: str) -> bool:
        """By the listings of this look; where case does not count, a stat would find the old name
        of a renamed directory."""
        while (above := os.path.dirname(path)) != path:
            if path not in self.below.get(above, (path,)):
                return True
            path = above
        return False

    def _failed(self, path: str, error: OSError) -> None:
        if path == self._scope.root:
            raise Unreachable(why(path, error)) from error
        if error.errno not in VANISHED:
            self._trouble(path, why(path, error))
        elif self._is_mount_above_lost(path):
            self._trouble(path, f"The disk or share of {printable(path)} is no longer mounted.")
        else:
            self.scan.gone.add(path)

    def _trouble(self, path: str, reason: str) -> None:
        self.scan.problems[path] = reason
        self.troubled.add(path)

    def _has_lost_its_mount(self, path: str, stamp: DirectoryStamp) -> bool:
        """Whether something was mounted at this directory, and is not any more."""
        before = self._before.get(path)
        if before is None or before.device == stamp.device:
            return False
        try:
            return os.stat(os.path.dirname(path)).st_dev == stamp.device
        except OSError:
            return True

    def _is_mount_above_lost(self, path: str) -> bool:
        while path != self._scope.root and path != os.path.dirname(path):
            path = os.path.dirname(path)
            before = self._before.get(path)
            try:
                if before is not None and os.stat(path).st_dev != before.device:
                    return True
            except OSError:
                continue
        return False


_RECENT_NS = 3600 * 10**9  # clocks of servers differ


class Scanner:
    """Walks one watched folder and remembers its directories. For one thread at a time."""

    def __init__(self, folder: WatchFolder, rules: NameRules, roots: Roots) -> None:
        self._root = folder.path
        self._scope = ScanScope(folder, rules, roots)
        self._known: dict[str, DirectoryStamp] = {}
        self._fresh: set[str] = set()  # changed lately: a coarse mtime may hide a second change
        self._troubled: set[str] = set()
        self._refused: set[str] = set()

    def scan(self, checkpoint: Callable[[], None]) -> Scan:
        """Everything. `checkpoint` is called often and may raise. Raises Unreachable."""
        walk = Walk(self._scope, checkpoint, known={}, before=self._known)
        scan = walk.run([self._root])
        self._refused = walk.refused
        self._troubled = walk.troubled
        below_trouble = {
            path: stamp
            for path, stamp in self._known.items()
            if _is_at_or_below(path, scan.problems)
        }
        self._learn(scan, below_trouble)
        return scan

    def look(self, folders: Iterable[str], checkpoint: Callable[[], None]) -> Scan:
        """Only these directories, and new ones below them. Raises Unreachable."""
        known = self._known
        if self._troubled:  # what lies below a directory that failed is looked at with it
            known = {
                path: stamp
                for path, stamp in known.items()
                if not _is_at_or_below(path, self._troubled)
            }
        walk = Walk(self._scope, checkpoint, known, before=self._known)
        scan = walk.run(self._nearest_known(folders))
        self._refused = (self._refused - scan.folders.keys()) | walk.refused
        self._troubled = (self._troubled - scan.folders.keys() - scan.gone) | walk.troubled
        self._learn(scan, self._still_there(walk))
        return scan

    def changed_folders(self) -> list[str]:
        """By the mtime of every known directory: those that changed, until they are looked at
        and once more after that. Raises Unreachable."""
        changed = self._fresh | self._troubled
        for path, stamp in self._known.items():
            try:
                if os.stat(path).st_mtime_ns != stamp.mtime_ns:
                    changed.add(path)
            except OSError as error:
                if path == self._root:
                    raise Unreachable(why(path, error)) from error
                changed.add(path)
        return sorted(changed)

    def _nearest_known(self, folders: Iterable[str]) -> list[str]:
        """The known directories among them, and in place of each new one the nearest above it."""
        wanted: dict[str, None] = {}
        base = self._root.rstrip("/") + "/"
        for path in folders:
            while path.startswith(base) and path not in self._known and path not in self._refused:
                path = os.path.dirname(path)
            if path in self._known or path == self._root:
                wanted[path] = None
        return list(wanted)

    def _learn(self, scan: Scan, kept: dict[str, DirectoryStamp]) -> None:
        now = time.time_ns()
        fresh = self._fresh & kept.keys()
        for path, stamp in scan.folders.items():
            before = self._known.get(path)
            is_new = before is None and abs(now - stamp.mtime_ns) < _RECENT_NS
            if is_new or (before is not None and before.mtime_ns != stamp.mtime_ns):
                fresh.add(path)
        self._fresh = fresh
        self._known = kept | scan.folders

    def _still_there(self, walk: Walk) -> dict[str, DirectoryStamp]:
        """Known directories that this look did not list, without those that have gone."""
        kept: dict[str, DirectoryStamp] = {}
        lost = set(walk.scan.gone)
        for path in sorted(self._known, key=len):  # parents first
            above = os.path.dirname(path)
            if above in lost or path not in walk.below.get(above, (path,)):
                lost.add(path)
            elif path not in lost and path not in walk.scan.folders:
                kept[path] = self._known[path]
        self._troubled -= lost
        return kept


def _is_at_or_below(path: str, folders: Iterable[str]) -> bool:
    """`folders` is a set or a dictionary."""
    while path not in folders:
        above = os.path.dirname(path)
        if above == path:
            return False
        path = above
    return True


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
