"""Whether the CacheDir of a watch folder can be written to, and is the one that it was."""

from __future__ import annotations

import os
import secrets

from shared.cache import cache_files
from shared.cache.cache_dir import CacheDir
from shared.errors import CacheError

_PROBE_BYTES = 256 << 10  # less than this free, and hardly any file could be published


class CacheGone(CacheError):
    """The cache folder that held the results is not there."""


def open_known(path: str, known_id: str) -> CacheDir:
    """The CacheDir; made where none was known. Raises CacheGone, CacheError.

    A mount that is away leaves an empty folder: writing there would begin everything anew.
    """
    if known_id and not os.path.exists(os.path.join(path, "rushes.json")):
        raise CacheGone(
            f"The cache folder {path} is gone or empty. Is its disk mounted? If it was deleted on "
            "purpose, send POST /watch-folders/{id}/retry, and it is made anew."
        )
    return CacheDir.open(path, create=True)


def check_writable(cache: CacheDir) -> None:
    """Write a little and remove it. Raises CacheError with the system's reason."""
    probe = cache.root / f".probe-{secrets.token_hex(4)}.tmp"
    with cache_files.clear_errors(cache.root):
        try:
            with open(probe, "xb") as file:
                file.write(bytes(_PROBE_BYTES))
                os.fsync(file.fileno())
        finally:
            probe.unlink(missing_ok=True)
