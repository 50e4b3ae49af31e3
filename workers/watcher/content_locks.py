"""Which contents are being analysed on behalf of which file, over all watch folders."""

from __future__ import annotations

import threading
from collections.abc import Collection

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
