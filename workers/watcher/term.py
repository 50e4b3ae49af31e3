"""One term as the active watcher: which folders have a thread, and what clients are told."""

from __future__ import annotations

import contextlib
import logging
import time

import redis

from shared.domain import TaskKind
from shared.errors import Missing, RushesError
from shared.models.active_models import active_keys
from shared.redis import heartbeats
from shared.watch.board import FolderLive, WatchBoard, WatchLive, WatchState
from shared.watch.files import FolderFacts
from shared.watch.folders import WatchFolder, WatchFolders
from workers.watcher.folder_run import FolderRun
from workers.watcher.tools import Tools

log = logging.getLogger(__name__)

_READ_ALL_EVERY_S = 10.0  # for what no version number says
_KEYS_EVERY_S = 2.0
_STAY_EVERY_S = 1.0
_STOPPED = FolderLive(state=WatchState.STOPPED)


class LostLease(Exception):
    """This is not the active watcher any more."""


class Term:
    """Made when the lease was won; for the main thread alone. Every method raises RedisAway."""

    def __init__(
        self, tools: Tools, client: redis.Redis, folders: WatchFolders, board: WatchBoard
    ) -> None:
        self.token = tools.token
        self.is_running = False
        self._tools = tools
        self._client = client
        self._store = folders
        self._board = board
        self._folders: dict[str, WatchFolder] = {}
        self._is_wanted = False
        self._version: int | None = None
        self._read_at = 0.0
        self._keys_at = 0.0
        self._stayed_at = 0.0
        self._runs: dict[str, FolderRun] = {}
        self._ending: list[FolderRun] = []
        self._processed = 0  # by runs that have ended, since the service was started
        self._last_error: str | None = None
        self._published: WatchLive | None = None
        self._has_orphans = True  # Tasks of an earlier term that no folder knows, perhaps

    def look(self) -> None:
        """Follow what is wanted, pass on what is asked, tell what is going on."""
        self._read()
        self._see_situation()
        self._ending = [run for run in self._ending if not run.is_over()]
        self._end_unwanted()
        self._begin_wanted()
        self._pass_on_asks()
        if self._has_orphans or not self._is_wanted:
            self._stop_orphans()
        if not self._has_orphans:  # whose workers may still publish what was claimed for them
            busy = {run.folder.id for run in (*self._runs.values(), *self._ending)}
            self._tools.claims.release_all(but_of=busy)
        self._publish()

    def end(self) -> None:
        """Ask all threads to end. What they still write is refused by the next one's token."""
        for run in self._runs.values():
            run.end()

    def _read(self) -> None:
        version = self._store.version()
        now = time.monotonic()
        if version == self._version and now - self._read_at < _READ_ALL_EVERY_S:
            return
        folders, is_wanted = self._store.read()
        if is_wanted and not self._is_wanted:
            self._processed = 0
        self._folders = {folder.id: folder for folder in folders}
        self._is_wanted, self._version, self._read_at = is_wanted, version, now
        self._free_contents()
        known = self._tools.files.facts()
        for folder_id in known.keys() - self._folders.keys():
            if not self._is_busy(folder_id):
                self._tools.files.forget(self.token, folder_id)

    def _free_contents(self) -> None:
        """A thread that hangs sees no end of its Tasks: copies in other folders wait no longer."""
        for run in [*self._runs.values(), *self._ending]:
            for task_id, paths in list(run.state.table.queued.items()) if run.silent_s() else ():
                record = self._tools.ledger.record(task_id)
                if record is None or record.status.is_final:
                    for path in list(paths):
                        self._tools.claims.release(run.folder.id, path)

    def _see_situation(self) -> None:
        situation = self._tools.situation
        situation.is_paused = self._tools.ledger.holder() is not None
        if time.monotonic() - self._keys_at > _KEYS_EVERY_S:
            situation.keys = active_keys(self._client, self._tools.settings)
            self._keys_at = time.monotonic()

    def _end_unwanted(self) -> None:
        for folder_id, run in list(self._runs.items()):
            wanted = self._folders.get(folder_id)
            if self._is_wanted and wanted == run.folder and not run.is_over():
                continue
            del self._runs[folder_id]
            run.end()
            self._processed += run.state.processed
            self._last_error = run.state.last_error or self._last_error
            self._ending.append(run)
            self._has_orphans = True  # it may just be submitting a Task
            for task_id in list(run.state.table.queued):
                with contextlib.suppress(Missing):
                    self._tools.ledger.stop(task_id)
            if wanted is None:
                self._version = None  # so that its files are forgotten once its thread is over

    def _begin_wanted(self) -> None:
        missing = [
            folder
            for folder in self._folders.values()
            if self._is_wanted and folder.enabled and not self._is_busy(folder.id)
        ]
        if not missing:
            return
        facts = self._tools.files.facts()
        begun = []
        for folder in missing:
            files = self._tools.files.all(folder.id, self._stay)
            known = facts.get(folder.id) or FolderFacts()
            if folder.id not in facts:  # from now on it is known that there may be files of it
                self._tools.files.note(self.token, folder.id, known)
            begun.append(FolderRun(folder, self._tools, known, files))
        for run in begun:  # all have claimed their contents before one looks for work
            self._runs[run.folder.id] = run
            run.start()

    def _stay(self) -> None:
        """Keep the lease while much is read."""
        if time.monotonic() - self._stayed_at < _STAY_EVERY_S:
            return
        if not self._board.renew(self.token):
            raise LostLease("the lease ran out while the files were read")
        self._stayed_at = time.monotonic()

    def _is_busy(self, folder_id: str) -> bool:
        """Whether a thread has it, be it one that does not answer and cannot be ended."""
        ending = {run.folder.id for run in self._ending}
        return folder_id in self._runs or folder_id in ending

    def _pass_on_asks(self) -> None:
        for ask in self._board.asked():
            run = self._runs.get(ask.folder_id)
            if run is None and ask.folder_id in self._folders:
                continue  # the folder is stopped, and told when it begins
            if run:
                run.ask(ask)
            self._board.done(ask)

    def _stop_orphans(self) -> None:
        """Ingest Tasks that no folder's thread follows."""
        is_open = bool(self._ending)
        open_tasks = self._tools.ledger.open_tasks(TaskKind.INGEST)
        # Asked for afterwards: a Task is followed before it is submitted.
        followed = {task for run in self._runs.values() for task in list(run.state.table.queued)}
        for task_id in open_tasks:
            if task_id not in followed:
                is_open = True
                with contextlib.suppress(Missing):
                    self._tools.ledger.stop(task_id)
        self._has_orphans = is_open and self._is_wanted

    def _publish(self) -> None:
        lives = {folder_id: run.live() for folder_id, run in self._runs.items()}
        for run in self._ending:
            lives.setdefault(run.folder.id, FolderLive(state=WatchState.STOPPING))
        for folder_id in self._folders:
            lives.setdefault(folder_id, _STOPPED)
        state = self._state(lives)
        self.is_running = state is WatchState.RUNNING
        current = next(
            (
                (folder_id, live.current_file)
                for folder_id, live in lives.items()
                if live.state is WatchState.RUNNING and live.current_file
            ),
            None,
        )
        errors = [run.state.last_error for run in self._runs.values() if run.state.last_error]
        processed = sum(run.state.processed for run in self._runs.values())
        live = WatchLive(
            state=state,
            current_folder=self._folders[current[0]].client_path if current else None,
            current_file=current[1] if current else None,
            files_processed=self._processed + processed,
            last_error=self._hint() or (errors[-1] if errors else self._last_error),
            folders=lives,
        )
        if live != self._published:
            self._board.publish(live)
            self._published = live

    def _state(self, lives: dict[str, FolderLive]) -> WatchState:
        states = {live.state for live in lives.values()}
        if not self._is_wanted:
            open_tasks = self._tools.ledger.open_tasks(TaskKind.INGEST)
            return WatchState.STOPPING if self._ending or open_tasks else WatchState.STOPPED
        if self._tools.situation.is_paused:
            return WatchState.PAUSED
        return WatchState.RUNNING if WatchState.RUNNING in states else WatchState.WAITING

    def _hint(self) -> str | None:
        """Why nothing advances although files are queued, where nobody can work on them."""
        if not any(run.state.table.queued for run in self._runs.values()):
            return None
        try:
            alive = heartbeats.live(self._client, self._tools.settings.instance, "analysis")
        except RushesError:
            return None
        if not alive:
            return "No analysis worker is running; start one with `rushes worker analysis`."
        if all(beat.state == "waiting" for beat in alive):
            return alive[0].message
        return None
