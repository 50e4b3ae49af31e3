"""Which CacheDirs were used here: in Redis and in STATE_DIR/cache-folders.json."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import redis

from shared.errors import RushesError
from shared.redis.kept_hash import KeptHash, decode_entries

_log = logging.getLogger(__name__)
_NOTE_EVERY_S = 3600.0  # each folder: it costs a write
_MOST = 1000


class KnownFolders:
    """The CacheDirs that were used last, by their path in our form; safe for threads.

    `client` must decode responses.
    """

    def __init__(self, client: redis.Redis, instance: str, state_dir: Path) -> None:
        path = state_dir / "cache-folders.json"
        self._kept = KeptHash(client, instance, "cache_folders", path, "known cache folders")
        self._noted: dict[str, float] = {}  # by this process

    def all(self) -> dict[str, float]:
        """When each was used last, to the hour, in Unix seconds. Raises RushesError."""
        return self._kept.entries(float)

    def note(self, folder: str) -> None:
        """Remember that a folder is used; if that fails, whoever uses it need not know."""
        now = time.time()
        if now - self._noted.get(folder, 0.0) < _NOTE_EVERY_S:
            return
        self._noted[folder] = now
        try:
            with self._kept.changing() as fields:
                fields[folder] = f"{now:.3f}"
                times = decode_entries(fields, float)
                for oldest in sorted(times, key=times.__getitem__)[:-_MOST]:
                    del fields[oldest]
        except RushesError as error:
            _log.warning("The list of cache folders lacks %s: %s", folder, error.message)
