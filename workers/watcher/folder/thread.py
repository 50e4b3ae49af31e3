"""The thread of one watch folder: a dead share holds up itself alone."""

from __future__ import annotations

import logging
import threading

from shared.errors import NotLeader, RedisAway
from workers.watcher.folder.watcher import Ended, FolderWatcher

log = logging.getLogger(__name__)

_AWAY_PAUSE_S = 1.0
_AFTER_ERROR_S = 5.0


class FolderThread:
    """A folder's thread; the main thread begins and ends it, once each."""

    def __init__(self, watcher: FolderWatcher) -> None:
        self.watcher = watcher
        self.folder = watcher.folder
        self._thread = threading.Thread(
            target=self._serve, name=f"watch-{watcher.folder.id}", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Ask the thread to end; `is_over` says when it has."""
        self.watcher.end()

    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def _serve(self) -> None:
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
