"""One watch folder at work: what has ended, what is new, what has settled, what workers get."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime

from msgspec.structs import astuple, replace

from shared.errors import CacheError, NotLeader
from shared.watch.files import FolderFacts, RetryRequest, WatchedFile
from shared.watch.folders import WatchFolder, is_open
from shared.watch.live import FolderLive, WatchState
from shared.watch.options import FileGroup
from workers.presence.root_identity import (
    RootIdentity,
    Unreachable,
    identity_of,
    is_same_root,
)
from workers.watcher.context import WatcherContext
from workers.watcher.folder.admission import (
    Submitter,
    admit,
    free_duplicates,
    next_settle_in,
    settle,
)
from workers.watcher.folder.mount_guard import (
    CacheGone,
    CacheGuard,
    RootReplaced,
    check_root,
    check_writable,
    is_emptied,
)
from workers.watcher.folder.reconciliation import LeftOutFiles, reconcile, review
from workers.watcher.folder.state import AnalysisProfile, resume
from workers.watcher.folder.tasks import FolderTasks
from workers.watcher.scan.scanner import ScanResult, ScanScheduler

log = logging.getLogger(__name__)

_BUSY_PAUSE_S = 0.25
_IDLE_PAUSE_S = 2.0
_SILENT_S = 60.0
_SEEN_S = 45.0  # more than the longest hold: what a user answers may have been so that long ago
_ASKING_SHARE = 50  # asking in vain what became of Tasks takes at most this part of the time

OUTSIDE_HOURS = "Outside its hours"


class Ended(Exception):
    """The folder's thread is to end: what it has not written is read anew by the next one."""


class FolderWatcher:
    """`step` is for the folder's own thread, all other public methods for the main thread."""

    def __init__(
        self,
        folder: WatchFolder,
        context: WatcherContext,
        facts: FolderFacts,
        files: dict[str, WatchedFile],
    ) -> None:
        self.folder = folder
        self.stepped_at = time.monotonic()
        self.wake = threading.Event()
        self.is_ended = False
        self.state = resume(folder, context, facts, files, self._checkpoint)
        self.scheduler = ScanScheduler(folder, context.settings, self.wake.set)
        self._context = context
        self._retries: list[RetryRequest] = []
        self._unreachable = ""
        self._replaced_at = self._cache_gone_at = -_SEEN_S  # when that held it up last
        self._cache = CacheGuard(self.state, knows_no_file=not files)
        self._noted = facts  # as Redis has them
        self._submitter = Submitter(self.state, self._flush)
        # Whoever had the folder before may have asked them to stop.
        self._left_out = LeftOutFiles(self.state)
        self.tasks = FolderTasks(self.state, stopped=set(self.state.table.queued))
        self._busy_pause = _BUSY_PAUSE_S

    def end(self) -> None:
        """No step goes on for long from now on."""
        self.is_ended = True
        self.wake.set()

    def retry(self, request: RetryRequest) -> None:
        """The next step follows it."""
        self._retries.append(request)
        self.wake.set()

    def silent_s(self) -> float:
        """For how long the folder has not answered; 0: it does."""
        silent_s = time.monotonic() - self.stepped_at
        return silent_s if silent_s > _SILENT_S and not self.scheduler.is_scanning else 0.0

    def live(self) -> FolderLive:
        state, reason = self._live_state()
        return FolderLive(
            state=state,
            reason=reason,
            is_unreachable=bool(self._unreachable or self.silent_s()),
            current_file=self.tasks.current_file if state is WatchState.RUNNING else None,
            is_scanning=self.scheduler.is_scanning,
            is_polling=self.scheduler.is_polling,
            last_scan_at=self.state.facts.last_scan_at,
        )

    def _live_state(self) -> tuple[WatchState, str]:
        breaker, table = self.state.breaker, self.state.table
        if silent_s := self.silent_s():
            return WatchState.WAITING, f"The folder has not answered for {silent_s:.0f} s."
        if self._unreachable:
            return WatchState.WAITING, self._unreachable
        if not self._is_in_hours():
            assert self.folder.schedule
            return WatchState.WAITING, f"{OUTSIDE_HOURS}, until {self.folder.schedule.start}."
        if (reason := breaker.reason) and (breaker.is_open or not table.queued):
            return WatchState.WAITING, reason
        if self._context.conditions.is_paused:
            return WatchState.PAUSED, "A foreground analysis is running."
        if table.queued or table.ready:
            return WatchState.RUNNING, ""
        return WatchState.WAITING, ""

    def step(self) -> float:
        """Do what is due; returns the seconds until there may be more to do.

        Raises Ended, NotLeader, RedisAway.
        """
        self.stepped_at = time.monotonic()
        self._follow_retries()
        self._follow_models()
        self._left_out.follow()
        try:
            self._go_round()
            self._unreachable = ""
        except Unreachable as error:
            if isinstance(error, RootReplaced):
                self._replaced_at = time.monotonic()
            self._lose(error.reason)
        except CacheError as error:
            if isinstance(error, CacheGone):
                self._cache.close()
                self._cache_gone_at = time.monotonic()
            self.state.trip_breaker(error.message)
            self.tasks.stop_all()
        self._flush()
        return self._pause()

    def _go_round(self) -> None:
        state = self.state
        self._submitter.submit_unsure()
        self._collect()
        self._look_around()
        settle(state)
        state.table.wake_delayed(time.time())
        if state.table.is_idle():  # no file waits for it any more: nobody needs to know of it
            state.breaker.succeed()
        free_duplicates(state)
        if not self._is_in_hours():
            self.tasks.stop_all()
        elif state.table.ready and not state.breaker.is_open:
            # Also while a foreground analysis runs: only what waits in the ledger gets its share.
            self._submit_ready()

    def _collect(self) -> None:
        """What came of the files that workers have; where many Tasks tell nothing, less often."""
        began = time.monotonic()
        in_vain = not self.tasks.collect()
        pause = _ASKING_SHARE * (time.monotonic() - began) if in_vain else 0.0
        self._busy_pause = min(_IDLE_PAUSE_S, max(_BUSY_PAUSE_S, pause))

    def _look_around(self) -> None:
        root = identity_of(self.folder.path)
        check_root(self.state, root)
        known = self.state.facts.root
        if self._unreachable or (known and not is_same_root(RootIdentity(*known), root)):
            self.scheduler.walk_soon()
        is_first = not self.scheduler.has_walked
        result = self.scheduler.look(self._checkpoint)
        if result is None:
            return
        if not is_same_root(root, identity_of(self.folder.path)):
            self.scheduler.walk_soon()
            return
        if result.folders is None and is_emptied(self.state, result.scan):
            raise RootReplaced(
                f"{self.folder.path} is empty, but {len(self.state.table.files)} files of it are "
                "known. Is its disk mounted? Nothing is forgotten."
            )
        self._reconcile(result, root, is_first)

    def _reconcile(self, result: ScanResult, root: RootIdentity, is_first: bool) -> None:
        began = time.monotonic()
        surprises = reconcile(self.state, result)
        if result.folders is not None:
            return
        if not is_first:
            self.scheduler.count_work(time.monotonic() - began)
        self.state.facts = replace(self.state.facts, root=astuple(root), last_scan_at=time.time())
        if not is_first:
            self.scheduler.judge_events(surprises)

    def _submit_ready(self) -> None:
        """Give workers what has its turn. Raises CacheError."""
        cache = self._cache.open()
        if self.state.breaker.one_file_first:
            check_writable(cache.cache)
        if files := admit(self.state, cache):
            self._submitter.submit(files)

    def _follow_retries(self) -> None:
        """New tries for what has failed; a strange root or cache folder is taken as it is now."""
        while self._retries:
            request = self._retries.pop(0)
            self.state.breaker.reset()
            seen = time.monotonic() - _SEEN_S
            if self._replaced_at > seen:
                self.state.facts = replace(self.state.facts, root=None)
            if self._cache_gone_at > seen:
                self._cache.accept_any()
            self._cache.close()
            self.scheduler.walk_soon()
            for path, file in list(self.state.table.files.items()):
                if request.paths is not None and path not in request.paths:
                    continue
                is_delayed = file.group is FileGroup.PENDING and file.next_try_at
                if file.group is FileGroup.FAILED or is_delayed:
                    self.state.turn_back(path, replace(file, tries=0, hash_str=""))

    def _follow_models(self) -> None:
        """Another model may be active now."""
        context = self._context
        profile = AnalysisProfile.of(
            self.folder, context.conditions.keys, context.settings.audio_streams
        )
        if profile != self.state.profile:
            self.state.profile = profile
            review(self.state)

    def _lose(self, reason: str) -> None:
        """The folder is not there, or not itself: nothing of it is judged until it is back."""
        if not self._unreachable:
            log.warning("%s waits: %s", self.folder.path, reason)
        self._unreachable = reason
        self.state.last_error = reason
        self.scheduler.lose()
        self.tasks.stop_all()

    def _is_in_hours(self) -> bool:
        schedule = self.folder.schedule
        return schedule is None or is_open(schedule, datetime.now())

    def _flush(self) -> None:
        """Write what has changed. Raises Ended, NotLeader, RedisAway."""
        self._checkpoint()
        context, table, facts = self._context, self.state.table, self.state.facts
        if table.unwritten:
            if not context.files.write(context.token, self.folder.id, table.unwritten):
                raise NotLeader
            table.unwritten = {}
        if facts != self._noted:  # after the files, which may have become others by it
            if not context.files.note(context.token, self.folder.id, facts):
                raise NotLeader
            self._noted = facts

    def _checkpoint(self) -> None:
        self.stepped_at = time.monotonic()
        if self.is_ended:
            raise Ended

    def _pause(self) -> float:
        table = self.state.table
        if self._unreachable:
            return _IDLE_PAUSE_S
        if table.queued or (table.ready and not self.state.breaker.is_open and self._is_in_hours()):
            return self._busy_pause
        pauses = [_IDLE_PAUSE_S, self.scheduler.due_in()]
        if (settled := next_settle_in(self.state)) is not None:
            pauses.append(settled)
        return max(0.05, min(pauses))
