"""What the threads of all watch folders share while this process is the active watcher."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from shared.domain import ModelKind
from shared.ledger.ledger import JobQueues, Ledger
from shared.ledger.left_out import LeftOut
from shared.paths import PathMap
from shared.settings import Settings
from shared.watch.files import WatchedFiles
from shared.watch.folders import WatchFolder
from workers.watcher.folder.file_table import ContentKey

_Owner = tuple[str, str]  # id of the folder, path


class ContentLocks:
    """One content, one analysis at a time: copies wait for its end and then cost none."""

    def __init__(self) -> None:
        self._owners: dict[ContentKey, _Owner] = {}
        self._keys: dict[_Owner, ContentKey] = {}  # a file has one content at a time
        self._lock = threading.Lock()

    def acquire(self, key: ContentKey, folder_id: str, path: str) -> bool:
        """False: another file has the content."""
        owner = folder_id, path
        with self._lock:
            if self._keys.get(owner) != key:
                self._drop(owner)
            if self._owners.setdefault(key, owner) != owner:
                return False
            self._keys[owner] = key
            return True

    def is_held(self, key: ContentKey) -> bool:
        return key in self._owners

    def release(self, folder_id: str, path: str) -> None:
        """The file has no need of its content any more, whichever that was."""
        with self._lock:
            self._drop((folder_id, path))

    def keep_only(self, folder_id: str, paths: Collection[str]) -> None:
        """A folder is watched anew; of what it held, it holds that of these files only."""
        with self._lock:
            for owner in list(self._keys):
                if owner[0] == folder_id and owner[1] not in paths:
                    self._drop(owner)

    def release_folders(self, *, but_of: Collection[str]) -> None:
        """All folders but these are watched no more."""
        with self._lock:
            for owner in list(self._keys):
                if owner[0] not in but_of:
                    self._drop(owner)

    def _drop(self, owner: _Owner) -> None:
        key = self._keys.pop(owner, None)
        if key is not None:
            del self._owners[key]


@dataclass(slots=True)
class Conditions:
    """What the main thread sees; it replaces the values, the other threads read them."""

    keys: Mapping[ModelKind, str]  # of the active models
    is_paused: bool = False  # a foreground analysis has the lock


@dataclass(frozen=True)
class WatcherContext:
    """`token` is that of the lease. Another leadership gets another context."""

    settings: Settings
    ledger: Ledger
    jobs: JobQueues
    files: WatchedFiles
    token: str
    conditions: Conditions
    left_out: LeftOut
    content_locks: ContentLocks = field(default_factory=ContentLocks)

    def client_path(self, path: str, folder: WatchFolder) -> str:
        """The path as the client that made the folder writes it."""
        return self._path_map.to_client(path, folder.client_path)

    @cached_property
    def _path_map(self) -> PathMap:
        return PathMap(self.settings.path_map)
