"""The mount guard: whether what lies at a watch folder's path is what lay there before."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
from itertools import islice

from msgspec.structs import astuple, replace

from shared.cache import cache_files
from shared.cache.cache_dir import CacheDir
from shared.errors import CacheError, NotAllowed
from shared.opening import RootedPath
from shared.paths import Roots
from shared.watch.options import FileGroup
from workers.presence.root_identity import RootIdentity, Unreachable, is_same_root
from workers.watcher.folder.cache_lookup import CacheLookup
from workers.watcher.folder.state import FolderState
from workers.watcher.scan.listing import NameKind, Scan

log = logging.getLogger(__name__)

_PROBE_BYTES = 256 << 10  # less than this free, and hardly any file could be published

_SAMPLE = 40


class RootReplaced(Unreachable):
    """Something else than before seems to lie at the path; only a user knows if that is meant."""


def check_root(state: FolderState, found: RootIdentity) -> None:
    """Raise RootReplaced where another volume has taken the place of the known one.

    Numbers of file systems may change with every mount: where half of a sample of the known files
    is there, it is the same.
    """
    known = state.facts.root
    if known is None or known == astuple(found) or is_same_root(RootIdentity(*known), found):
        return
    files = state.table.files
    sample = [
        (path, file)
        for path, file in islice(files.items(), 0, None, max(1, len(files) // _SAMPLE))
        if file.group is not FileGroup.SKIPPED
    ]
    if not sample:
        return
    there = sum(_is_there(path, file.size) for path, file in sample)
    if there * 2 < len(sample):
        raise RootReplaced(
            f"Another volume than before seems to lie at {state.folder.path}: of {len(sample)} "
            f"known files {there} are there. Nothing is forgotten. If that is meant, send POST "
            f"/watch-folders/{state.folder.id}/retry."
        )


def is_emptied(state: FolderState, scan: Scan) -> bool:
    """Whether nothing is there any more, while files are known and nobody has said it is meant.

    Files that do not count any more since the folder was changed tell nothing of its disk.
    """
    if scan.files or scan.sequences or state.facts.root is None:
        return False
    return any(
        file.group is not FileGroup.SKIPPED and _counts(state, path)
        for path, file in state.table.files.items()
    )


def _counts(state: FolderState, path: str) -> bool:
    folder, name = os.path.split(path)
    if not state.folder.recursive and folder.rstrip("/") != state.folder.path.rstrip("/"):
        return False
    return state.rules.kind(name) is not NameKind.IGNORED


def _is_there(path: str, size: int) -> bool:
    try:
        return os.stat(path).st_size == size
    except OSError:
        return False


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
