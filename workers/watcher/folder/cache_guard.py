"""The CacheDir of a watch folder: is it the one that it was, and can it be written to?"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets

from msgspec.structs import replace

from shared.cache import cache_files
from shared.cache.cache_dir import CacheDir
from shared.errors import CacheError, NotAllowed
from shared.opening import RootedPath
from shared.paths import Roots
from workers.watcher.folder.cache_lookup import CacheLookup
from workers.watcher.folder.state import FolderState

log = logging.getLogger(__name__)

_PROBE_BYTES = 256 << 10  # less than this free, and hardly any file could be published


class CacheGone(CacheError):
    """The cache folder that held the results is not there."""


class CacheGuard:
    """Opens the CacheDir of one folder; for the folder's thread alone."""

    def __init__(self, state: FolderState, *, knows_no_file: bool) -> None:
        """`knows_no_file`: no earlier watcher has handed one over."""
        self._state = state
        self._lookup: CacheLookup | None = None
        self._accepts_any = False
        self._knows_no_file = knows_no_file

    def open(self) -> CacheLookup:
        """Open the CacheDir, before every batch. Raises CacheGone, CacheError."""
        folder, known_id = self._state.folder, self._state.facts.cache_id
        settings = self._state.context.settings
        roots = Roots.cache(settings).within(folder.key_roots)
        if known_id and not self._accepts_any:
            _check_known(RootedPath.of(folder.cache_dir, roots))
        try:
            cache = CacheDir.open(folder.cache_dir, roots, create=True)
        except NotAllowed as error:  # a link has come there since the folder was made
            raise CacheError(error.message) from error
        self._accepts_any = False
        if self._lookup is None or self._lookup.cache.id != cache.id:
            self._lookup = CacheLookup(cache, Roots.media(settings).within(folder.key_roots))
        if cache.id != known_id:
            self._state.facts = replace(self._state.facts, cache_id=cache.id)
            if known_id:
                log.warning("%s is another cache folder than before", folder.cache_dir)
                self._state.do_again()
        if self._knows_no_file:
            self._lookup.read_seen(folder.path)
            self._knows_no_file = False
        return self._lookup

    def close(self) -> None:
        """Forget what was read of the CacheDir."""
        self._lookup = None

    def accept_any(self) -> None:
        """A user has said that the one which is there, or none, is meant."""
        self._accepts_any = True


def check_writable(cache: CacheDir) -> None:
    """Write a little and remove it. Raises CacheError with the system's reason."""
    probe = f".probe-{secrets.token_hex(4)}.tmp"
    with cache_files.clear_errors(cache.root), cache_files.folder(cache.root) as folder:
        try:
            with os.fdopen(folder.create(probe), "wb") as file:
                file.write(bytes(_PROBE_BYTES))
                os.fsync(file.fileno())
        finally:
            with contextlib.suppress(FileNotFoundError):
                folder.remove(probe)


def _check_known(root: RootedPath) -> None:
    """A mount that is away leaves an empty folder: writing there would begin everything anew."""
    if not (root / "rushes.json").exists():
        raise CacheGone(
            f"The cache folder {root} is gone or empty. Is its disk mounted? If it was deleted on "
            "purpose, send POST /watch-folders/{id}/retry, and it is made anew."
        )
