"""Files of an Item as they were found: path allowed, hash, and whether they are still the same.

Everything that is made of a file in one Item shares one finding: what the pictures remember of a
changed file must not make its old transcript look fresh.
"""

from __future__ import annotations

import os

from shared.cache import CacheDir
from shared.domain import FileWork
from shared.errors import MediaChanging
from shared.media import hash_media
from shared.paths import Roots
from workers.analysis import sameness
from workers.context import Context

Numbered = tuple[int, FileWork]  # by its place in the Item, as the ledger's ticks count

LEFT_FOR_PUBLISHING = 0.02  # of a file's progress


def share_done(seconds: float, duration_seconds: float | None) -> float:
    """Part of a file's work that is done after so many of its seconds."""
    if not duration_seconds:
        return 1 - LEFT_FOR_PUBLISHING
    return min(1.0, seconds / duration_seconds) * (1 - LEFT_FOR_PUBLISHING)


class FoundFile:
    """One file at the moment its Item came to it.

    Raises NotAllowed, MediaMissing, MediaUnreadable or MediaChanging.
    """

    def __init__(self, context: Context, cache: CacheDir, path: str) -> None:
        self.path = path
        self._context = context
        self._cache = cache
        Roots.media(context.settings).check_real(path)
        self.hash_str = context.hashes.hash_of(path)
        try:
            self._stat = os.stat(path)
        except OSError:
            raise MediaChanging from None
        self._known = sameness.last_seen(cache, self.hash_str, path)
        self._is_same: bool | None = None
        self._crc: str | None = None  # of all bytes
        if self._known and self._known.mtime_ns == self._stat.st_mtime_ns:
            self._crc = self._known.full_crc

    def is_same(self) -> bool:
        """Whether what is published for the hash may be used; reads the whole file at most once."""
        if self._is_same is None:
            self._is_same = sameness.is_same(
                self._known, self._stat, self.path, self._context.checkpoint
            )
        return self._is_same

    def check_unchanged(self) -> None:
        """Before publishing what was made of it: whether it still has this hash.

        Reads what `remember` will note, too. Raises MediaChanging, or as `full_crc` does.
        """
        if self._crc is None:
            self._crc = sameness.crc_to_keep(
                self.path, self._stat.st_size, self._context.checkpoint
            )
        if hash_media(self.path) != self.hash_str:
            raise MediaChanging

    def remember(self) -> None:
        """Note that this content lay here; again is cheap."""
        stat = self._stat
        self._cache.remember_path(
            self.hash_str, self.path, stat.st_size, stat.st_mtime_ns, self._crc
        )


class ItemFiles:
    """Finds each file of an Item once."""

    def __init__(self, context: Context, cache: CacheDir) -> None:
        self._context = context
        self._cache = cache
        self._found: dict[str, FoundFile] = {}

    def find(self, path: str) -> FoundFile:
        """Raises as FoundFile does, again at every call."""
        if path not in self._found:
            self._found[path] = FoundFile(self._context, self._cache, path)
        return self._found[path]
