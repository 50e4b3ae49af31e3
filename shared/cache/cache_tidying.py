"""Removes from a CacheDir what was replaced or deleted a day ago, or left by killed writers."""

from __future__ import annotations

import contextlib
import logging
import re
import threading
import time
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import TypeAlias

from shared.cache import cache_files, catalogue, limits
from shared.cache.cache_files import ArtefactFiles
from shared.domain import Stage
from shared.errors import CacheError, RushesError
from shared.opening import OpenedFolder, RootedPath

_log = logging.getLogger(__name__)
IsOver: TypeAlias = Callable[[str], bool]  # of a lease (Lease.writer)
KEPT_S = 86_400.0  # a reader may still be on its way from the old manifest to the old data
_TEMPORARY_KEPT_S = 7 * KEPT_S  # it is begun when its analysis begins, which may take days
_MARKER = "collected"
DELETIONS = "deletions"  # folder of the records of what was deleted
_DELETION = re.compile(r"[0-9a-f]{16}\.json")
_LOOK_EVERY_S = 3600.0
_next_look: dict[RootedPath, float] = {}  # of this process: when to look at the marker again


def collect_when_due(root: RootedPath, is_over: IsOver) -> threading.Thread | None:
    """Start `collect` in a thread unless some machine did within a day, by the share's clock.

    At the first look of a process within an hour, for the one before it may have died. Never fails:
    what cannot be tidied now is tidied another day.
    """
    now = time.monotonic()
    if now < _next_look.get(root, 0.0):
        return None
    kept_s = KEPT_S if root in _next_look else _LOOK_EVERY_S
    _next_look[root] = now + _LOOK_EVERY_S
    try:
        if not _is_due(root / "catalog", kept_s):
            return None
    except (OSError, CacheError) as error:
        _log.warning("could not tidy %s up: %s", root, error)
        return None
    work = partial(_collect_quietly, root, is_over)
    thread = threading.Thread(target=work, name="collect", daemon=True)
    thread.start()
    return thread


def _is_due(catalog: RootedPath, after_s: float) -> bool:
    """Return True if so much time has passed since the marker was touched; if so, touch it."""
    with cache_files.folder(catalog, create=True) as folder:
        now = cache_files.share_clock(folder)
        with contextlib.suppress(FileNotFoundError):
            if now - folder.status(_MARKER).st_mtime < after_s:
                return False
        cache_files.write_atomically(folder, _MARKER, b"", "marker")
    return True


def collect(root: RootedPath, is_over: IsOver) -> int:
    """Remove replaced data and left temporaries, merge old catalogue files; returns how many went.

    Walks the whole folder. `is_over`: whether a lease is known and no longer held.
    """
    is_over = cache(is_over)
    with cache_files.folder(root) as folder:
        now = cache_files.share_clock(folder)
    old = now - _TEMPORARY_KEPT_S
    known = catalogue.Catalogue(root)
    removed = sum(len(_remove_dead(place, is_over, old)) for place in (root, root / "catalog"))
    removed += _forget_records(root / DELETIONS, now - KEPT_S)
    for hash_str in known.hashes():
        media = cache_files.media_dir(root, hash_str)
        removed += len(remove_dead(media, is_over, old))
        with (
            contextlib.suppress(FileNotFoundError, NotADirectoryError, CacheError),
            cache_files.folder(media) as folder,
        ):
            removed += collect_media(folder, now - KEPT_S)
    known.compact()
    return removed


def remove_dead(media: RootedPath, is_over: IsOver, before: float = 0.0) -> list[str]:
    """Remove temporary files of one MediaFile as `cache_files.remove_dead`. Never fails."""
    return _remove_dead(media, is_over, before) + _remove_dead(media / "paths", is_over, before)


def _remove_dead(place: RootedPath, is_over: IsOver, before: float) -> list[str]:
    try:
        with cache_files.folder(place) as folder:
            return cache_files.remove_dead(folder, is_over, before)
    except (OSError, RushesError):  # another time
        return []


def collect_media(folder: OpenedFolder, before: float) -> int:
    """Delete data of one MediaFile that is unused and was last touched before that time."""
    removed = 0
    with contextlib.suppress(FileNotFoundError, CacheError):
        names = set(folder.names())
        forgotten = _forget_deleted(folder, names, before)
        names -= forgotten
        removed += len(forgotten)
        if cache_files.EXACT_CUTS in names and not any(map(_names_frames, names)):
            folder.remove(cache_files.EXACT_CUTS)
            removed += 1
        data = list(filter(cache_files.is_data, names))
        manifests = sum(map(_names_data, names))
        if len(data) <= manifests:  # nothing can be left over: no need to read them
            return removed
        if manifests > limits.MANIFESTS:
            return removed
        used: set[str] = set()
        for _, found in cache_files.manifests_in(folder, ArtefactFiles, _names_data):
            if isinstance(found, CacheError):  # it hides what it names: then nothing is removed
                return removed
            used.update(found.names)
        for name in data:
            if name not in used and folder.status(name).st_mtime < before:
                folder.remove(name)
                removed += 1
    return removed


def _forget_records(deletions: RootedPath, before: float) -> int:
    """Remove records of deletions that are over; what else lies there is not ours."""
    removed = 0
    with (
        contextlib.suppress(OSError, CacheError),
        cache_files.folder(deletions) as folder,
    ):
        for name in filter(is_deletion, folder.names()):
            with contextlib.suppress(OSError):
                if folder.status(name).st_mtime < before:
                    folder.remove(name)
                    removed += 1
    return removed


def is_deletion(name: str) -> bool:
    """Whether a file in DELETIONS is named like the record of a deletion: by its id."""
    return _DELETION.fullmatch(name) is not None


def _names_data(name: str) -> bool:
    return cache_files.is_manifest(name) or cache_files.is_deleted_manifest(name)


def _names_frames(name: str) -> bool:
    return _names_data(name) and name.endswith(cache_files.manifest_name(Stage.FRAMES, ""))


def _forget_deleted(folder: OpenedFolder, names: Iterable[str], before: float) -> set[str]:
    """Remove manifests that were deleted before that time, which nothing brings back from then on.

    Returns their names.
    """
    deleted = filter(cache_files.is_deleted_manifest, names)
    old = {name for name in deleted if folder.status(name).st_mtime < before}
    for name in old:
        folder.remove(name)
    return old


def _collect_quietly(root: RootedPath, is_over: IsOver) -> None:
    try:
        if removed := collect(root, is_over):
            _log.info("removed %d files that nobody uses from %s", removed, root)
    except (OSError, RushesError) as error:
        _log.warning("could not tidy %s up: %s", root, error)
