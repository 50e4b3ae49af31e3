"""The active watcher's main thread: which folders have a thread, and which Tasks may run."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from enum import Enum, auto

import redis

from shared.domain import TaskKind
from shared.errors import Missing
from shared.models.model_catalogue import active_keys
from shared.watch.files import FolderFacts, RetryRequests
from shared.watch.folders import WatchFolder, WatchFolders
from workers.watcher.context import WatcherContext
from workers.watcher.folder.watcher import FolderWatcher
from workers.watcher.live_report import LiveReport
from workers.watcher.threads import FolderThread, FolderThreads

_READ_ALL_EVERY_S = 10.0  # for what no version number says
_KEYS_EVERY_S = 2.0


class ServicePhase(Enum):
    """Which Tasks of ingestion in the queue `analysis` are stopped."""

    STOPPED = auto()  # watching is not wanted: all of them
    ADOPTING = auto()  # those that no folder's thread follows: an earlier one may have left some
    WATCHING = auto()  # none: each is followed


class ActiveWatcher:
    """What the main thread does while it holds the lease. Every method raises RedisAway."""

    def __init__(
        self,
        context: WatcherContext,
        client: redis.Redis,
        folders: WatchFolders,
        keep_lease: Callable[[], None],
    ) -> None:
        """`keep_lease` is called while much is read."""
        self.threads = FolderThreads(context)
        self.phase = ServicePhase.ADOPTING
        self.report = LiveReport(context, client, self.threads)
        self._context = context
        self._client = client
        self._store = folders
        self._keep_lease = keep_lease
        self._retries = RetryRequests(client, context.settings.instance)
        self._folders: dict[str, WatchFolder] = {}
        self._version: int | None = None
        self._read_at = 0.0
        self._keys_at = 0.0

    def look(self) -> None:
        """Follow what is wanted, pass on what is asked, tell what is going on."""
        self._read()
        self._see_conditions()
        self.threads.drop_ended()
        self._end_unwanted()
        self._begin_wanted()
        self._pass_on_retries()
        if self.phase is not ServicePhase.WATCHING:
            self._stop_orphans()
        if self.phase is not ServicePhase.ADOPTING:  # else a worker may still publish for them
            busy = {thread.folder.id for thread in self.threads}
            self._context.content_locks.release_folders(but_of=busy)
        self.report.publish(self._folders.values(), is_wanted=self._is_wanted)

    def end(self) -> None:
        """Ask all threads to end. What they still write is refused by the next one's token."""
        for thread in self.threads.active.values():
            thread.watcher.end()

    @property
    def _is_wanted(self) -> bool:
        return self.phase is not ServicePhase.STOPPED

    def _read(self) -> None:
        version = self._store.version()
        now = time.monotonic()
        if version == self._version and now - self._read_at < _READ_ALL_EVERY_S:
            return
        folders, is_wanted = self._store.read()
        if not is_wanted:
            self.phase = ServicePhase.STOPPED
        elif not self._is_wanted:
            self.threads.forget_processed()
            self.phase = ServicePhase.ADOPTING
        self._folders = {folder.id: folder for folder in folders}
        self._version, self._read_at = version, now
        self.threads.free_contents()
        known = self._context.files.facts()
        for folder_id in known.keys() - self._folders.keys():
            if not self.threads.is_busy(folder_id):
                self._context.files.forget(self._context.token, folder_id)

    def _see_conditions(self) -> None:
        conditions = self._context.conditions
        conditions.is_paused = self._context.ledger.holder() is not None
        if time.monotonic() - self._keys_at > _KEYS_EVERY_S:
            conditions.keys = active_keys(self._client, self._context.settings)
            self._keys_at = time.monotonic()

    def _end_unwanted(self) -> None:
        for folder_id, thread in list(self.threads.active.items()):
            wanted = self._folders.get(folder_id)
            if self._is_wanted and wanted == thread.folder and thread.is_alive():
                continue
            # First of all: it may just be submitting a Task, and Redis may go away before all of
            # its Tasks are stopped.
            if self._is_wanted:
                self.phase = ServicePhase.ADOPTING
            self.threads.end(thread)
            if wanted is None:
                self._version = None  # so that its files are forgotten once its thread is over

    def _begin_wanted(self) -> None:
        missing = [
            folder
            for folder in self._folders.values()
            if self._is_wanted and folder.enabled and not self.threads.is_busy(folder.id)
        ]
        if not missing:
            return
        context = self._context
        facts = context.files.facts()
        begun = []
        for folder in missing:
            files = context.files.all(folder.id, self._keep_lease)
            known = facts.get(folder.id) or FolderFacts()
            if folder.id not in facts:  # from now on it is known that there may be files of it
                context.files.note(context.token, folder.id, known)
            begun.append(FolderThread(FolderWatcher(folder, context, known, files)))
        self.threads.start(begun)

    def _pass_on_retries(self) -> None:
        for request in self._retries.pending():
            thread = self.threads.active.get(request.folder_id)
            if thread is None and request.folder_id in self._folders:
                continue  # the folder is stopped, and told when it begins
            if thread:
                thread.watcher.retry(request)
            self._retries.remove(request)

    def _stop_orphans(self) -> None:
        """Ingest Tasks of watch folders that no folder's thread follows."""
        ledger = self._context.ledger
        open_tasks = ledger.open_tasks(TaskKind.INGEST, "analysis")
        # Asked for afterwards: a Task is followed before it is submitted.
        followed = self.threads.followed_tasks()
        orphans = [task_id for task_id in open_tasks if task_id not in followed]
        for task_id in orphans:
            with contextlib.suppress(Missing):
                ledger.stop(task_id)
        if self._is_wanted and not orphans and not self.threads.ending:
            self.phase = ServicePhase.WATCHING
