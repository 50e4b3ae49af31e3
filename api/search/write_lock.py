"""One writer at a time to files of ours in STATE_DIR, among threads and processes."""

from __future__ import annotations

import contextlib
import fcntl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from shared.errors import Unavailable
from shared.private_files import private

SEARCH_WAIT_S = 30.0  # a search waits this long while another thread or replica loads
LOAD_WAIT_S = 300.0


class WriteLock:
    """A lock file. Held long: while data is read from a share."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = threading.Lock()

    @contextlib.contextmanager
    def held(self, wait_s: float) -> Iterator[None]:
        """Hold the lock. Raises Unavailable when another one holds it for `wait_s` seconds."""
        deadline = time.monotonic() + wait_s
        if not self._threads.acquire(timeout=wait_s):
            raise _still_loading()
        try:
            with open(self._path, "w", opener=private) as lock:
                while not _try_flock(lock.fileno()):
                    if time.monotonic() > deadline:
                        raise _still_loading()
                    time.sleep(0.02)
                yield
        finally:
            self._threads.release()


def _still_loading() -> Unavailable:
    return Unavailable("The search data of this cache_dir is still being loaded; retry shortly.")


def _try_flock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
