"""Events on Linux: one watch a directory, on the reading thread of watchdog.

Not its Observer, which waits for every open and read (ours too), walks into the CacheDir and hidden
directories, and hides that the limit of watches was reached or that events were lost.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
import threading
from collections.abc import Callable, Iterable
from typing import NamedTuple

from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchDescriptor,
)

from shared.watch.folders import WatchFolder
from workers.presence.root_identity import printable, why
from workers.watcher.scan.events import Events, NoEvents

_log = logging.getLogger(__name__)
_IN_UNMOUNT = 0x2000
_MASK = Mask(  # of reading nothing, of writing the end
    InotifyConstants.IN_CREATE
    | InotifyConstants.IN_MOVE
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_ATTRIB
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_ONLYDIR
)


class _Watch(NamedTuple):
    path: str
    id: CallbackId


class InotifyEvents(Events):
    """The watches below one root; called back by the reading thread."""

    def __init__(
        self, folder: WatchFolder, ignored: tuple[str, ...], wake: Callable[[], None]
    ) -> None:
        super().__init__(folder, ignored, wake)
        self._root = folder.path
        self._is_recursive = folder.recursive
        self._ids = itertools.count(1)
        self._watches: dict[WatchDescriptor, _Watch] = {}
        self._descriptors: dict[str, WatchDescriptor] = {}
        self._linked: set[str] = set()
        self._has_failed = False
        self._lock = threading.RLock()  # taken before the reading thread's own
        try:
            self._reader = InotifyFD()
        except OSError as error:
            raise _no_events(self._root, error) from error

    def start(self) -> None:
        self._reader.start()
        try:
            with self._lock:
                self._watch(self._root)
        except NoEvents:
            self.stop()
            raise

    def stop(self) -> None:
        self._reader.stop()
        self._reader.join()

    def is_alive(self) -> bool:
        return self._reader.is_alive() and not self._has_failed

    def watch_listed(self, directories: Iterable[str]) -> None:
        with self._lock:
            new = [path for path in directories if path not in self._descriptors]
            new = [path for path in new if self._counts(path)]
            self._linked.update(new)
            self._guarded(lambda: [path for path in new if self._add(path, set())])

    # What the reading thread calls.

    def on_event(self, event: InotifyEvent) -> None:
        with self._lock:
            watch = self._watches.get(event.wd)
            if watch is None:
                return
            if not event.name:
                self._on_itself(watch.path, event)
                return
            path = os.path.join(watch.path, os.fsdecode(event.name))
            if not self._counts(path):
                return
            if event.is_directory and self._is_recursive:
                if event.is_moved_from:
                    self._forget(self._at_or_below(path))
                elif not event.is_delete and path not in self._descriptors:
                    self._guarded(lambda: self._watch(path))
            self._tell(watch.path)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        with self._lock:
            watch = self._watches.pop(wd, None)
            if watch is None:
                return
            self._unname(wd, watch.path)
            if watch.path == self._root:
                self._fail()

    def on_queue_overflow(self) -> None:
        """Events were lost, perhaps of new directories: watch and tell all of them anew."""
        _log.warning("%s: too many events at once; it is looked at anew", printable(self._root))
        with self._lock:
            self._guarded(self._watch_anew)

    def _on_itself(self, path: str, event: InotifyEvent) -> None:
        has_left = event.is_delete_self or event.is_move_self or event.mask & _IN_UNMOUNT
        if path == self._root and has_left:
            self._fail()
        self._tell(path)

    # With the lock held.

    def _guarded(self, watched: Callable[[], list[str]]) -> None:
        """Tell new directories once they are watched, so that nothing in them is missed."""
        try:
            for path in watched():
                self._tell(path)
        except NoEvents as error:
            _log.warning("%s", error)
            self._fail()

    def _fail(self) -> None:
        self._has_failed = True
        self._wake()

    def _watch(self, top: str) -> list[str]:
        """Watch a directory and those below it, each before it is listed; all of them."""
        watched: list[str] = []
        seen: set[WatchDescriptor] = set()
        waiting = [top]
        while waiting:
            path = waiting.pop()
            if self._add(path, seen):
                watched.append(path)
                waiting += self._folders_in(path) if self._is_recursive else []
        return watched

    def _add(self, path: str, seen: set[WatchDescriptor]) -> bool:
        """False for what has gone, is closed to us, or was seen under another name."""
        watch = _Watch(path, CallbackId(next(self._ids)))
        try:
            wd = self._reader.add_callback(os.fsencode(path), _MASK, self, watch.id)
            if wd == -1:  # what watchdog makes of EACCES
                self._reader.remove_callbacks([(wd, watch.id)])
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            if path == self._root or error.errno in (errno.ENOSPC, errno.ENOMEM):
                raise _no_events(path, error) from error
            return False
        if wd in seen:
            self._reader.remove_callbacks([(wd, watch.id)])
            return False
        seen.add(wd)
        before = self._watches.get(wd)
        if before is not None:
            self._reader.remove_callbacks([(wd, before.id)])
            self._unname(wd, before.path)
        self._watches[wd] = watch
        self._descriptors[path] = wd
        return True

    def _unname(self, wd: WatchDescriptor, path: str) -> None:
        if self._descriptors.get(path) == wd:  # else something new is there already
            del self._descriptors[path]

    def _watch_anew(self) -> list[str]:
        # Removing a watch is an event too: removing all of them might fill the queue again.
        watched = self._watch(self._root)
        watched += [path for path in self._linked if self._add(path, set())]
        self._forget(self._descriptors.keys() - set(watched))
        return watched

    def _at_or_below(self, top: str) -> list[str]:
        base = top.rstrip("/") + "/"
        return [path for path in self._descriptors if path == top or path.startswith(base)]

    def _forget(self, directories: Iterable[str]) -> None:
        for path in directories:
            wd = self._descriptors.pop(path)
            self._reader.remove_callbacks([(wd, self._watches.pop(wd).id)])

    def _folders_in(self, directory: str) -> list[str]:
        try:
            with os.scandir(directory) as entries:
                listed = list(entries)
            folders = [one.path for one in listed if one.is_dir(follow_symlinks=False)]
        except OSError:
            return []  # the scan says so
        has_media = os.path.join(directory, "media") in folders and directory != self._root
        if has_media and any(entry.name == "rushes.json" for entry in listed):
            return []  # a CacheDir
        return [path for path in folders if self._counts(path)]


def _no_events(path: str, error: OSError) -> NoEvents:
    limit = {errno.ENOSPC: "max_user_watches", errno.EMFILE: "max_user_instances"}.get(
        error.errno or 0
    )
    if limit is None:
        return NoEvents(why(path, error))
    return NoEvents(
        f"The system allows no more inotify watches below {printable(path)}; raise "
        f"fs.inotify.{limit} with sysctl."
    )
