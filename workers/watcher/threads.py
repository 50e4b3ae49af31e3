"""The folders' threads, and those that were asked to end and have not yet."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterable, Iterator

from shared.errors import Missing, NotLeader, RedisAway
from workers.watcher.context import WatcherContext
from workers.watcher.folder.watcher import Ended, FolderWatcher

log = logging.getLogger(__name__)

_AWAY_PAUSE_S = 1.0
_AFTER_ERROR_S = 5.0


class FolderThreads:
    """The threads that the main thread begins and ends. `active`: by id of the folder."""

    def __init__(self, context: WatcherContext) -> None:
        self._context = context
        self._processed = 0  # by threads that are ended, since `forget_processed`
        self._last_error: str | None = None
        self.active: dict[str, FolderThread] = {}
        self.ending: list[FolderThread] = []

    def __iter__(self) -> Iterator[FolderThread]:
        yield from self.active.values()
        yield from self.ending

    def start(self, threads: Iterable[FolderThread]) -> None:
        """All of these folders have locked their contents before one looks for work."""
        for thread in threads:
            self.active[thread.folder.id] = thread
            thread.start()

    def end(self, thread: FolderThread) -> None:
        """Ask a thread to end, and its Tasks to stop."""
        del self.active[thread.folder.id]
        thread.watcher.end()
        state = thread.watcher.state
        self._processed += state.processed
        self._last_error = state.last_error or self._last_error
        self.ending.append(thread)
        for task_id in list(state.table.queued):
            with contextlib.suppress(Missing):
                self._context.ledger.stop(task_id)

    def drop_ended(self) -> None:
        self.ending = [thread for thread in self.ending if thread.is_alive()]

    def is_busy(self, folder_id: str) -> bool:
        """Whether a thread has it, be it one that does not answer and cannot be ended."""
        return any(thread.folder.id == folder_id for thread in self)

    def followed_tasks(self) -> set[str]:
        threads = self.active.values()
        return {task for thread in threads for task in list(thread.watcher.state.table.queued)}

    def free_contents(self) -> None:
        """A thread that hangs sees no end of its Tasks: copies in other folders wait no longer."""
        for thread in self:
            if not thread.watcher.silent_s():
                continue
            for task_id, paths in list(thread.watcher.state.table.queued.items()):
                record = self._context.ledger.record(task_id)
                if record is None or record.status.is_final:
                    for path in list(paths):
                        self._context.content_locks.release(thread.folder.id, path)

    def forget_processed(self) -> None:
        """The service is started: what is done is counted from now on."""
        self._processed = 0

    def processed(self) -> int:
        return self._processed + sum(
            thread.watcher.state.processed for thread in self.active.values()
        )

    def last_error(self) -> str | None:
        errors = [thread.watcher.state.last_error for thread in self.active.values()]
        return next(filter(None, reversed(errors)), self._last_error)


class FolderThread(threading.Thread):
    """A folder's thread; the main thread begins it, and ends it by its watcher."""

    def __init__(self, watcher: FolderWatcher) -> None:
        super().__init__(name=f"watch-{watcher.folder.id}", daemon=True)
        self.watcher = watcher
        self.folder = watcher.folder

    def run(self) -> None:
        watcher = self.watcher
        log.info("%s is watched", self.folder.path)
        while not watcher.is_ended:
            try:
                pause = watcher.step()
            except (Ended, NotLeader):
                break
            except RedisAway as error:
                log.debug("%s goes on when Redis is back: %s", self.folder.path, error.message)
                pause = _AWAY_PAUSE_S
            except Exception as error:  # of ours; without its thread the folder would stand still
                log.exception("%s: an error of ours; the folder is taken up again", self.folder.id)
                watcher.state.last_error = f"An internal error: {type(error).__name__}: {error}"
                pause = _AFTER_ERROR_S
            watcher.wake.wait(pause)
            watcher.wake.clear()
        watcher.scheduler.stop()
        log.info("%s is watched no more", self.folder.path)
