"""Files of an Item as they were found: path allowed, hash, and whether they are still the same.

Everything that is made of a file in one Item shares one finding: what the pictures remember of a
changed file must not make its old transcript look fresh.
"""

from __future__ import annotations

import os
import time

from shared.cache.cache_dir import CacheDir
from shared.domain import FileWork, Stage
from shared.errors import MediaChanging
from shared.media import hash_media, is_hashed_whole
from shared.paths import Roots
from shared.process import traces
from workers.context import Context
from workers.media import sameness
from workers.media.files import check_format

Numbered = tuple[int, FileWork]  # by its place in the Item, as the ledger's ticks count

LEFT_FOR_PUBLISHING = 0.02  # of a file's progress


def share_done(seconds: float, duration_seconds: float | None) -> float:
    """Part of a file's work that is done after so many of its seconds."""
    if not duration_seconds:
        return 1 - LEFT_FOR_PUBLISHING
    return min(1.0, seconds / duration_seconds) * (1 - LEFT_FOR_PUBLISHING)


class FoundFile:
    """One file at the moment its Item came to it.

    Raises NotAllowed, MediaMissing, MediaUnreadable, MediaUnsupported or MediaChanging.
    """

    def __init__(self, context: Context, cache: CacheDir, path: str, *, is_forced: bool) -> None:
        self.path = path
        self._context = context
        self._cache = cache
        self._is_forced = is_forced
        self._found_at = time.time()
        Roots.media(context.settings).check_real(path)
        check_format(path)
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

    def has(self, stage: Stage, model: str = "") -> bool:
        """Whether this is published and not older than the last known change of the file.

        When all is to be made anew, what an earlier try of this Task has made is new enough.
        """
        if not self._cache.is_published(self.hash_str, stage, model):
            return False
        changed_at = self._known.changed_at if self._known else 0.0
        if not changed_at and not self._is_forced:
            return True
        manifest = self._cache.manifest(self.hash_str, stage, model)
        if manifest is None or manifest.made_at < changed_at:
            return False
        return not self._is_forced or manifest.task_id == self._context.lease.task_id

    def is_same(self) -> bool:
        """Whether what is published may be used; reads the whole file at most once."""
        if self._is_same is None:
            self._is_same = sameness.is_same(
                self._known, self._stat, self.path, self._context.checkpoint
            )
        return self._is_same

    def check_unchanged(self) -> None:
        """Before publishing what was made of it: whether it is still the same file.

        Reads what `remember` will note, too. Raises MediaChanging, or as `full_crc` does.
        """
        if self._crc is None:
            self._crc = sameness.crc_to_keep(
                self.path, self._stat.st_size, self._context.checkpoint
            )
        if hash_media(self.path) != self.hash_str or self._may_be_edited():
            raise MediaChanging

    def remember(self) -> None:
        """Note that this content lies here, and whether it is other than before; again is cheap."""
        stat = self._stat
        changed_at = self._known.changed_at if self._known else 0.0
        if self._crc is None and self._is_same and self._known:
            self._crc = self._known.full_crc
        if self._has_changed():
            changed_at = self._found_at
        self._cache.remember_path(
            self.hash_str, self.path, stat.st_size, stat.st_mtime_ns, self._crc, changed_at
        )

    def _may_be_edited(self) -> bool:
        """Where the hash does not tell, an edit meanwhile shows in the modification time."""
        if is_hashed_whole(self._stat.st_size):
            return False
        try:
            return os.stat(self.path).st_mtime_ns != self._stat.st_mtime_ns
        except OSError:
            return True

    def _has_changed(self) -> bool:
        if self._is_same is None:  # nobody had to ask: nothing was published, or all is made anew
            return not sameness.is_known_as(self._known, self._stat, lambda: self._crc)
        return not self._is_same


class ItemFiles:
    """Finds each file of an Item once."""

    def __init__(self, context: Context, cache: CacheDir, *, is_forced: bool) -> None:
        self._context = context
        self._cache = cache
        self._is_forced = is_forced
        self._found: dict[str, FoundFile] = {}

    def find(self, path: str) -> FoundFile:
        """Raises as FoundFile does, again at every call."""
        if path not in self._found:
            with traces.stage("hash", {"rushes.path": path}):
                self._found[path] = FoundFile(
                    self._context, self._cache, path, is_forced=self._is_forced
                )
        return self._found[path]
