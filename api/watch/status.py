"""What the watch service does, put together from what is wanted, what the watcher says, and Tasks.

The service is `stopping` or `stopped` while it is not wanted; else `paused` while a foreground
analysis has the lock, `running` while a file is being analysed, and `waiting` otherwise.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace

import msgspec
from msgspec import UNSET

from api.http.client_paths import ClientPaths, in_clients_words
from api.http.services import CoreServices
from api.watch.answers import FolderStats, WatchFailure, WatchStatus
from shared.domain import NotApplicable, TaskKind
from shared.watch.files import NOT_APPLICABLE, RetryRequests, WatchedFiles
from shared.watch.folders import WatchFolder
from shared.watch.live import NO_WATCHER, STOPPED, LiveStatus, SoleLease, WatchLive, WatchState
from shared.watch.options import FileGroup

_NOT_SEEN = "The watcher has not come to it yet."
_PAUSED = "A foreground analysis has precedence."
_FAILURES = 100
_BUSY = (WatchState.RUNNING, WatchState.STOPPING)


@dataclass(frozen=True, slots=True)
class WatchServices(CoreServices):
    """Watch folders' files, and the state of the service that watches."""

    watch_lease: SoleLease
    watch_live: LiveStatus
    watch_retries: RetryRequests
    watched_files: WatchedFiles


@dataclass(frozen=True, slots=True)
class _Readings:
    """What is wanted, what the watcher says and which Tasks are open, read at one time."""

    folders: list[WatchFolder]
    is_wanted: bool
    has_watcher: bool
    live: WatchLive | None
    foreground: str | None  # the Task that holds the lock
    is_unwinding: bool  # what was begun has not ended, though it is wanted no more

    @classmethod
    def read(cls, services: WatchServices) -> _Readings:
        folders, is_wanted = services.watch_folders.read()
        live = services.watch_live.read()
        is_busy = live is not None and live.state in _BUSY
        return cls(
            folders=folders,
            is_wanted=is_wanted,
            has_watcher=live is not None or services.watch_lease.is_held(),
            live=live,
            foreground=services.ledger.holder(),
            is_unwinding=not is_wanted
            and (is_busy or bool(services.ledger.open_tasks(TaskKind.INGEST, "analysis"))),
        )

    def within(self, paths: ClientPaths) -> _Readings:
        """Return what a licence key may read of it: its roots may leave some folders out."""
        if paths.key_roots is None:
            return self
        folders = [each for each in self.folders if paths.is_of_key(each.path, each.cache_dir)]
        live = self.live
        if live and live.current_folder not in [each.client_path for each in folders]:
            live = msgspec.structs.replace(live, current_folder=None, current_file=None)
        live = live and msgspec.structs.replace(live, last_error=None)  # it may be of any folder
        return replace(self, folders=folders, live=live)

    @property
    def state(self) -> WatchState:
        if not self.is_wanted:
            return WatchState.STOPPING if self.is_unwinding else WatchState.STOPPED
        if self.foreground is not None:
            return WatchState.PAUSED
        if self.live is not None and self.live.state is WatchState.RUNNING:
            return WatchState.RUNNING
        return WatchState.WAITING


def state(services: WatchServices) -> WatchState:
    """The service's state alone."""
    return _Readings.read(services).state


@dataclass(frozen=True, slots=True)
class WatchOverview:
    """Numbers for /metrics."""

    state: WatchState
    folders: Counter[WatchState]
    unreachable: int
    files: Counter[FileGroup]


def overview(services: WatchServices) -> WatchOverview:
    """Much less than `status`, and read much quicker."""
    readings = _Readings.read(services)
    files: Counter[FileGroup] = Counter()
    for counts in services.watched_files.counts(folder.id for folder in readings.folders).values():
        files.update(counts)
    live = readings.live.folders if readings.live and readings.is_wanted else {}
    watched = [live.get(folder.id) for folder in readings.folders if folder.enabled]
    return WatchOverview(
        state=readings.state,
        folders=Counter(_state_of(readings, folder)[0] for folder in readings.folders),
        unreachable=sum(one is not None and one.is_unreachable for one in watched),
        files=files,
    )


def status(services: WatchServices) -> WatchStatus:
    """What the service does now; there is one also when Redis has just come up empty."""
    readings = _Readings.read(services).within(services.paths)
    live = readings.live or WatchLive(state=WatchState.WAITING)
    is_missing = readings.is_wanted and not readings.has_watcher
    stats = _all_stats(services, readings)
    is_busy = readings.state in _BUSY  # what the watcher said last may be older than the state
    last_error = NO_WATCHER if is_missing else live.last_error
    return WatchStatus(
        state=readings.state,
        current_folder=live.current_folder if is_busy else None,
        current_file=live.current_file if is_busy else None,
        files_pending=sum(
            stats[folder.id].files_pending for folder in readings.folders if folder.enabled
        ),
        files_processed_this_session=live.files_processed,
        last_error=last_error and in_clients_words(last_error, names_of(*readings.folders)),
        paused_until=_paused_until(services, readings),
        folder_stats=stats,
    )


def names_of(*folders: WatchFolder) -> dict[str, str]:
    """What clients call these folders and their cache folders."""
    names = {folder.cache_dir: folder.client_cache_dir for folder in folders}
    return names | {folder.path: folder.client_path for folder in folders}


def _all_stats(services: WatchServices, readings: _Readings) -> dict[str, FolderStats]:
    counts = services.watched_files.counts(folder.id for folder in readings.folders)
    known = services.watched_files.facts()
    stats = {}
    for folder in readings.folders:
        last_scan_at = known[folder.id].last_scan_at if folder.id in known else None
        live = readings.live.folders.get(folder.id) if readings.live else None
        if live is not None and live.last_scan_at is not None:
            last_scan_at = live.last_scan_at
        stats[folder.id] = _stats(services, readings, folder, counts[folder.id], last_scan_at)
    return stats


def _stats(
    services: WatchServices,
    readings: _Readings,
    folder: WatchFolder,
    counts: dict[FileGroup, int],
    last_scan_at: float | None,
) -> FolderStats:
    live = readings.live.folders.get(folder.id) if readings.live else None
    folder_state, reason = _state_of(readings, folder)
    lacking = services.watched_files.page(folder.id, NOT_APPLICABLE, limit=_FAILURES)
    return FolderStats(
        state=folder_state,
        reason=in_clients_words(reason, names_of(folder)) or None,
        files_total=sum(counts.values()),
        files_pending=counts[FileGroup.PENDING],
        files_processed=counts[FileGroup.PROCESSED],
        files_failed=counts[FileGroup.FAILED],
        files_skipped=counts[FileGroup.SKIPPED],
        files_unsupported=counts[FileGroup.UNSUPPORTED],
        last_scan_at=last_scan_at,
        is_polling=live.is_polling if live else None,
        failures=_failures(services, folder) if counts[FileGroup.FAILED] else [],
        files_not_applicable=lacking.total or UNSET,
        not_applicable=[
            NotApplicable(services.paths.back(path, like=folder.client_path), file.reason)
            for path, file in lacking.files
            if file.group is FileGroup.PROCESSED  # an earlier watcher keeps no such list
        ]
        or UNSET,
    )


def _state_of(readings: _Readings, folder: WatchFolder) -> tuple[WatchState, str]:
    """State of one folder, and what holds it up."""
    live = readings.live.folders.get(folder.id) if readings.live else None
    is_busy = live is not None and live.state in _BUSY
    if not folder.enabled:
        return WatchState.STOPPING if is_busy else WatchState.STOPPED, "disabled"
    if not readings.is_wanted:
        return (WatchState.STOPPING, "") if is_busy else (WatchState.STOPPED, STOPPED)
    if not readings.has_watcher:
        return WatchState.WAITING, NO_WATCHER
    if live is None or live.state is WatchState.STOPPED:  # as the watcher left it, or will leave it
        return WatchState.WAITING, _NOT_SEEN
    if readings.foreground is not None and is_busy:  # the watcher is about to say so itself
        return WatchState.PAUSED, _PAUSED
    return live.state, live.reason


def _failures(services: WatchServices, folder: WatchFolder) -> list[WatchFailure]:
    page = services.watched_files.page(folder.id, FileGroup.FAILED, limit=_FAILURES)
    names = names_of(folder)
    return [
        WatchFailure(
            path=services.paths.back(path, like=folder.client_path),
            error=in_clients_words(file.reason, names),
            tries=file.tries,
        )
        for path, file in page.files
    ]


def _paused_until(services: WatchServices, readings: _Readings) -> float | None:
    if readings.state is not WatchState.PAUSED or readings.foreground is None:
        return None
    record = services.ledger.record(readings.foreground)
    if record is None or record.eta_seconds is None:
        return None
    return round(time.time() + record.eta_seconds, 0)
