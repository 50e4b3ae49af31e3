"""What is in a watched folder: all of it, or some of its directories."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

from shared.paths import Roots
from shared.watch.folders import WatchFolder
from workers.presence.root_identity import Unreachable, why
from workers.watcher.scan.findings import DirectoryStamp, Scan
from workers.watcher.scan.names import NameRules
from workers.watcher.scan.walk import ScanScope, Walk

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
