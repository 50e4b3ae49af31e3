"""Removes from a CacheDir what was replaced a day ago or left by killed writers."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from pathlib import Path

from shared.cache import cache_files, catalogue
from shared.errors import CacheError

_log = logging.getLogger(__name__)
KEPT_S = 86_400.0  # a reader may still be on its way from the old manifest to the old data
_TEMPORARY_KEPT_S = 7 * KEPT_S  # it is begun when its analysis begins, which may take days
_LOOK_EVERY_S = 3600.0
_next_look: dict[Path, float] = {}  # of this process: when to look at the marker again


def collect_when_due(root: Path) -> threading.Thread | None:
    """Start `collect` in a thread unless some machine did within a day, by the share's clock.

    Never fails: what cannot be tidied now is tidied another day.
    """
    now = time.monotonic()
    if now < _next_look.get(root, 0.0):
        return None
    _next_look[root] = now + _LOOK_EVERY_S
    try:
        if not _is_due(root / "catalog" / "collected"):
            return None
    except OSError as error:
        _log.warning("could not tidy %s up: %s", root, error)
        return None
    thread = threading.Thread(target=_collect_quietly, args=(root,), name="collect", daemon=True)
    thread.start()
    return thread


def _is_due(marker: Path) -> bool:
    """Whether a day has passed since the marker was touched; if so, touches it."""
    marker.parent.mkdir(parents=True, exist_ok=True)
    now = cache_files.share_clock(marker.parent)
    with contextlib.suppress(FileNotFoundError):
        if now - os.stat(marker).st_mtime < KEPT_S:
            return False
    marker.write_bytes(b"")
    return True


def collect(root: Path) -> int:
    """Remove replaced data and left temporaries, merge old catalogue files; returns how many went.

    Walks the whole folder.
    """
    removed = 0
    before = cache_files.share_clock(root) - KEPT_S
    known = catalogue.Catalogue(root)
    for hash_str in known.hashes():
        removed += collect_media(cache_files.media_dir(root, hash_str), before)
    known.compact()
    return removed


def collect_media(folder: Path, before: float) -> int:
    """Delete of one MediaFile what is unused and was last touched before that time.

    Temporaries are left alone for six days more.
    """
    removed = 0
    with contextlib.suppress(FileNotFoundError, CacheError):
        names = os.listdir(folder)
        ours = [n for n in names if cache_files.is_data(n) or cache_files.is_temporary(n)]
        manifests = [n for n in names if catalogue.is_manifest(n)]
        if len(ours) <= len(manifests):  # nothing can be left over: no need to read them
            return 0
        # A broken manifest (CacheError) hides what it names: then nothing is removed.
        found = [cache_files.read_manifest(folder / name) for name in manifests]
        used = {name for manifest in found if manifest for name in (manifest.file, manifest.pack)}
        for name in ours:
            limit = before
            if cache_files.is_temporary(name):
                limit -= _TEMPORARY_KEPT_S - KEPT_S
            if name not in used and os.stat(folder / name).st_mtime < limit:
                os.unlink(folder / name)
                removed += 1
    return removed


def _collect_quietly(root: Path) -> None:
    try:
        if removed := collect(root):
            _log.info("removed %d replaced files from %s", removed, root)
    except (OSError, CacheError) as error:
        _log.warning("could not tidy %s up: %s", root, error)
