"""Which directories of a watched folder are never entered."""

from __future__ import annotations

import os
from collections.abc import Callable

from shared.errors import NotAllowed
from shared.opening import OpenedFolder, open_folder
from shared.paths import Roots, location_of
from shared.watch.folders import WatchFolder
from workers.presence.root_identity import Unreachable, why
from workers.watcher.scan.findings import DirectoryStamp
from workers.watcher.scan.listing import Lister
from workers.watcher.scan.names import NameRules


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
