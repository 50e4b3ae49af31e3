"""Segments of previews that were made, on disk up to a limit; the least recently used go first."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import threading
import time
from pathlib import Path

from shared import private_files

log = logging.getLogger(__name__)

_SUFFIX = ".mp4"
_KEPT_SHARE = 0.9  # of the limit: what is left after a cleaning, so that not each one cleans
_LEFT_OVER_S = 3600.0  # a temporary file that is older belongs to nobody


class KeptSegments:
    """A folder of this server's own. All methods block, and none raises: it only saves work."""

    def __init__(self, folder: Path, limit_mb: int) -> None:
        self._folder = folder
        self._limit = limit_mb << 20
        self._lock = threading.Lock()
        self._held: int | None = None  # bytes, as of the last cleaning and what came since
        self._is_refused = False

    def get(self, key: str) -> bytes | None:
        """What was kept under a key, if it is still there."""
        if not self._limit:
            return None
        path = self._path(key)
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        return content

    def keep(self, key: str, content: bytes) -> None:
        """Keep a segment, in place of others where there is no room; one larger than it is not.

        A disk that refuses is logged once.
        """
        if len(content) > self._limit:
            return
        try:
            private_files.make_private(self._folder)
            if self._has_room(len(content)):
                private_files.publish(self._path(key), content)
            self._is_refused = False
        except OSError as error:
            if not self._is_refused:
                log.warning("Previews are not kept: %s", error)
            self._is_refused = True
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                self.tidy(self._limit // 2)

    def tidy(self, limit: int | None = None) -> None:
        """Remove what is more than a number of bytes; None: than what may be kept."""
        with contextlib.suppress(OSError), self._lock:
            self._held = self._cleaned(self._limit if limit is None else limit)

    def _has_room(self, size: int) -> bool:
        """Whether so many bytes may be kept, which then count; removes others for them."""
        with self._lock:
            is_full = self._held is None or self._held + size > self._limit
            if is_full or private_files.spare_bytes(self._folder) < size:
                self._held = self._cleaned(self._limit, size)
                if private_files.spare_bytes(self._folder) < size:
                    return False
            self._held = (self._held or 0) + size
            return True

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(os.fsencode(key)).hexdigest()[:32]}{_SUFFIX}"

    def _cleaned(self, limit: int, size: int = 0) -> int:
        """Bytes that are left once the oldest are removed, so that `size` more have room.

        Other processes may do so, too.
        """
        found = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    status = entry.stat()
                    if entry.name.endswith(_SUFFIX):
                        found.append((status.st_mtime_ns, status.st_size, entry.path))
                    elif time.time() - status.st_mtime > _LEFT_OVER_S:
                        os.unlink(entry.path)
        held = sum(size for _, size, _ in found)
        most = max(0, min(limit, held + private_files.spare_bytes(self._folder)) - size)
        goal = most * _KEPT_SHARE if held > most else most
        for _, size, path in sorted(found):
            if held <= goal:
                break
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            held -= size
        return held
