"""Files of a CacheDir that wait for analysis or have failed, by watch folders and Tasks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from api.folders import Folders
from api.search.services import SearchServices
from shared.domain import ProgressType
from shared.ledger.analysis_files import AnalysisFile, AnalysisFiles, AnalysisFileState
from shared.watch.files import WatchedFile
from shared.watch.folders import WatchFolder
from shared.watch.live import NO_WATCHER, STOPPED, WatchLive
from shared.watch.options import FileGroup

_FILES_AT_ONCE = 10_000
_PATIENCE_S = 0.3  # with another CacheDir, to learn where it really is
_WAITS = "In line for analysis."
_RUNS = "Being analyzed now."
_DISABLED = "The watch folder is disabled."


class InLine(NamedTuple):
    """How a file stands with analysis, and why."""

    state: Literal["waiting", "failed"]
    reason: str


def files_in_line(
    services: SearchServices, cache_dir: str, kind: ProgressType
) -> dict[str, InLine]:
    """By our path; the newest word counts.

    Watch folders are read before Tasks, which take files from them, and both before the catalogue,
    where results are announced: so a file that moves on meanwhile is found in one of them.
    """
    is_meant = _same_place(services.folders, cache_dir)
    watched = dict(_watched(services, is_meant, kind))
    found: dict[str, InLine] = {}
    for file in AnalysisFiles(services.redis, services.settings.instance).of(is_meant, kind):
        if services.paths.is_of_key(file.path):
            found.setdefault(file.path, _of_task(file))
    waiting = {path: standing for path, standing in found.items() if standing.state == "waiting"}
    return found | watched | waiting


def _same_place(folders: Folders, cache_dir: str) -> Callable[[str], bool]:
    """Whether a CacheDir is the one that is asked about; one that hangs is another."""
    real = os.path.realpath(cache_dir)
    known: dict[str, bool] = {cache_dir: True}

    def is_meant(other: str) -> bool:
        if other not in known:
            known[other] = _real_path(folders, other) == real
        return known[other]

    return is_meant


def _real_path(folders: Folders, path: str) -> str | None:
    """Where a folder really is; None where that hangs."""

    def work(_: None) -> str | None:
        return os.path.realpath(path)

    return folders.each([None], work, lambda _: path, lambda _: None, _PATIENCE_S)[0]


def _watched(
    services: SearchServices, is_meant: Callable[[str], bool], kind: ProgressType
) -> Iterator[tuple[str, InLine]]:
    folders, is_wanted = services.watch_folders.read()
    live = services.watch_live.read()
    has_watcher = live is not None or services.watch_lease.is_held()
    for folder in folders:
        if not _wants(folder, kind) or not is_meant(folder.cache_dir):
            continue
        hindrance = _hindrance(folder, live, is_wanted=is_wanted, has_watcher=has_watcher)
        for group in (FileGroup.PENDING, FileGroup.FAILED, FileGroup.UNSUPPORTED):
            for path, file in _pages(services, folder, group):
                if services.paths.is_of_key(path):
                    yield path, _of_watched(file, hindrance)


def _wants(folder: WatchFolder, kind: ProgressType) -> bool:
    if kind is ProgressType.FACES:
        return folder.analyze_faces
    return folder.analyze_speech if kind is ProgressType.AUDIO else folder.analyze_visual


def _hindrance(
    folder: WatchFolder, live: WatchLive | None, *, is_wanted: bool, has_watcher: bool
) -> str:
    """Why nothing of the folder is worked on; "" where nothing hinders."""
    if not folder.enabled:
        return _DISABLED
    if not is_wanted:
        return STOPPED
    if not has_watcher:
        return NO_WATCHER
    known = live.folders.get(folder.id) if live else None
    return known.reason if known else ""


def _pages(
    services: SearchServices, folder: WatchFolder, group: FileGroup
) -> Iterator[tuple[str, WatchedFile]]:
    after: str | None = None
    while True:
        page = services.watched_files.page(folder.id, group, after=after, limit=_FILES_AT_ONCE)
        yield from page.files
        if (after := page.after) is None:
            return


def _of_watched(file: WatchedFile, hindrance: str) -> InLine:
    if file.group is not FileGroup.PENDING:
        return InLine("failed", file.reason or "It failed.")
    return InLine("waiting", hindrance or file.reason or _WAITS)


def _of_task(file: AnalysisFile) -> InLine:
    if file.state is AnalysisFileState.FAILED:
        return InLine("failed", file.error)
    return InLine("waiting", _RUNS if file.state is AnalysisFileState.RUNNING else _WAITS)
