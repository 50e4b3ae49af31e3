"""Which contents are being analysed on behalf of which file, over all watch folders."""

from __future__ import annotations

import threading

from workers.watcher.table import ContentKey


class Claims:
    """One content, one analysis at a time: copies wait for its end and then cost none."""

    def __init__(self) -> None:
        self._taken: dict[ContentKey, tuple[str, str]] = {}
        self._lock = threading.Lock()

    def take(self, key: ContentKey, folder_id: str, path: str) -> bool:
        """False: another file has it."""
        with self._lock:
            return self._taken.setdefault(key, (folder_id, path)) == (folder_id, path)

    def is_taken(self, key: ContentKey) -> bool:
        return key in self._taken

    def release(self, key: ContentKey, folder_id: str, path: str) -> None:
        """The file has no need of it any more."""
        with self._lock:
            if self._taken.get(key) == (folder_id, path):
                del self._taken[key]

    def release_all(self, folder_id: str) -> None:
        """The folder is watched no more."""
        with self._lock:
            self._taken = {
                key: owner for key, owner in self._taken.items() if owner[0] != folder_id
            }
