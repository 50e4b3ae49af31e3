"""Removes from a CacheDir what was replaced a day ago or left by killed writers."""

from __future__ import annotations

import contextlib
import logging
import threading
import time

from shared.cache import cache_files, catalogue
from shared.errors import CacheError
from shared.opening import OpenedFolder, RootedPath

_log = logging.getLogger(__name__)
KEPT_S = 86_400.0  # a reader may still be on its way from the old manifest to the old data
_TEMPORARY_KEPT_S = 7 * KEPT_S  # it is begun when its analysis begins, which may take days
_MARKER = "collected"
_LOOK_EVERY_S = 3600.0
_next_look: dict[RootedPath, float] = {}  # of this process: when to look at the marker again


def collect_when_due(root: RootedPath) -> threading.Thread | None:
    """Start `collect` in a thread unless some machine did within a day, by the share's clock.

    Never fails: what cannot be tidied now is tidied another day.
    """
    now = time.monotonic()
    if now < _next_look.get(root, 0.0):
        return None
    _next_look[root] = now + _LOOK_EVERY_S
    try:
        if not _is_due(root / "catalog"):
            return None
    except (OSError, CacheError) as error:
        _log.warning("could not tidy %s up: %s", root, error)
        return None
    thread = threading.Thread(target=_collect_quietly, args=(root,), name="collect", daemon=True)
    thread.start()
    return thread


def _is_due(catalog: RootedPath) -> bool:
    """Whether a day has passed since the marker was touched; if so, touches it."""
    with cache_files.folder(catalog, create=True) as folder:
        now = cache_files.share_clock(folder)
        with contextlib.suppress(FileNotFoundError):
            if now - folder.status(_MARKER).st_mtime < KEPT_S:
                return False
        cache_files.write_atomically(folder, _MARKER, b"", "marker")
    return True


def collect(root: RootedPath) -> int:
    """Remove replaced data and left temporaries, merge old catalogue files; returns how many went.

    Walks the whole folder.
    """
    removed = 0
    with cache_files.folder(root) as folder:
        before = cache_files.share_clock(folder) - KEPT_S
    known = catalogue.Catalogue(root)
    for hash_str in known.hashes():
        with (
            contextlib.suppress(FileNotFoundError, NotADirectoryError, CacheError),
            cache_files.folder(cache_files.media_dir(root, hash_str)) as folder,
        ):
            removed += collect_media(folder, before)
    known.compact()
    return removed


def collect_media(folder: OpenedFolder, before: float) -> int:
    """Delete of one MediaFile what is unused and was last touched before that time.

    Temporaries are left alone for six days more.
    """
    removed = 0
    with contextlib.suppress(FileNotFoundError, CacheError):
        names = folder.names()
        ours = [n for n in names if cache_files.is_data(n) or cache_files.is_temporary(n)]
        manifests = [n for n in names if catalogue.is_manifest(n)]
        if len(ours) <= len(manifests):  # nothing can be left over: no need to read them
            return 0
        # A broken manifest (CacheError) hides what it names: then nothing is removed.
        found = [cache_files.manifest_in(folder, name) for name in manifests]
        used = {name for manifest in found if manifest for name in (manifest.file, manifest.pack)}
        for name in ours:
            limit = before
            if cache_files.is_temporary(name):
                limit -= _TEMPORARY_KEPT_S - KEPT_S
            if name not in used and folder.status(name).st_mtime < limit:
                folder.remove(name)
                removed += 1
    return removed


def _collect_quietly(root: RootedPath) -> None:
    try:
        if removed := collect(root):
            _log.info("removed %d replaced files from %s", removed, root)
    except (OSError, CacheError) as error:
        _log.warning("could not tidy %s up: %s", root, error)
