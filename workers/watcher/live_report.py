"""What clients are told of the watch service, put together from its folders' threads."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping

import redis

from shared.domain import TaskKind
from shared.errors import RushesError
from shared.redis import heartbeats
from shared.watch.folders import WatchFolder
from shared.watch.live import FolderLive, LiveStatus, WatchLive, WatchState
from shared.webhooks.events import Message, WebhookEvent
from shared.webhooks.outbox import Outbox
from shared.webhooks.subscriptions import Webhooks
from workers.watcher.context import WatcherContext
from workers.watcher.folder.watcher import OUTSIDE_HOURS
from workers.watcher.threads import FolderThreads

_NUMBER = re.compile(r"\d+")
_WAITS = WebhookEvent.FOLDER_WAITING
_STOPPED = FolderLive(state=WatchState.STOPPED)
_STOPPING = FolderLive(state=WatchState.STOPPING)


class LiveReport:
    """What the main thread publishes. Every method raises RedisAway."""

    def __init__(
        self, context: WatcherContext, client: redis.Redis, threads: FolderThreads
    ) -> None:
        self._context = context
        self._client = client
        self._threads = threads
        self._live_status = LiveStatus(client, context.settings.instance)
        self._published: WatchLive | None = None
        instance, state_dir = context.settings.instance, context.settings.state_dir
        self._webhooks = Webhooks(client, instance, state_dir)
        self._outbox = Outbox(client, instance)

    @property
    def is_running(self) -> bool:
        """Whether a file was being processed when it was published last."""
        return self._published is not None and self._published.state is WatchState.RUNNING

    def publish(self, folders: Collection[WatchFolder], *, is_wanted: bool) -> None:
        """Tell clients what is going on, unless it is what they were told last."""
        threads = self._threads
        lives = {folder_id: one.watcher.live() for folder_id, one in threads.active.items()}
        lives |= {one.folder.id: _STOPPING for one in threads.ending if one.folder.id not in lives}
        lives |= {folder.id: _STOPPED for folder in folders if folder.id not in lives}
        running = [
            (folder_id, live.current_file)
            for folder_id, live in lives.items()
            if live.state is WatchState.RUNNING and live.current_file
        ]
        folder_id, current_file = running[0] if running else (None, None)
        paths = {folder.id: folder.client_path for folder in folders}
        live = WatchLive(
            state=self._state(lives, is_wanted),
            current_folder=paths[folder_id] if folder_id else None,
            current_file=current_file,
            files_processed=threads.processed(),
            last_error=self._hint() or threads.last_error(),
            folders=lives,
        )
        if live != self._published:
            self._live_status.publish(live)
            self._tell_webhooks(live, {folder.id: folder for folder in folders})
            self._published = live

    def _tell_webhooks(self, live: WatchLive, folders: Mapping[str, WatchFolder]) -> None:
        """Each folder that waits now for something that it did not wait for before."""
        before = self._published.folders if self._published else live.folders
        new = {
            folder_id: folder.reason
            for folder_id, folder in live.folders.items()
            if _hindrance(folder) not in ("", _hindrance(before.get(folder_id)))
        }
        hooks = self._webhooks.list() if new else []
        for folder_id, reason in new.items() if hooks else ():
            now = round(time.time(), 3)
            folder = folders.get(folder_id)
            path = folder.client_path if folder else ""
            data = {"watch_folder_id": folder_id, "path": path, "reason": reason}
            message = Message(f"{_WAITS}:{folder_id}:{now}", _WAITS, now, data)
            self._outbox.tell(hooks, message, (folder.path, folder.cache_dir) if folder else ("",))

    def _state(self, lives: dict[str, FolderLive], is_wanted: bool) -> WatchState:
        if not is_wanted:
            open_tasks = self._context.ledger.open_tasks(TaskKind.INGEST, "analysis")
            return WatchState.STOPPING if self._threads.ending or open_tasks else WatchState.STOPPED
        if self._context.conditions.is_paused:
            return WatchState.PAUSED
        states = {live.state for live in lives.values()}
        return WatchState.RUNNING if WatchState.RUNNING in states else WatchState.WAITING

    def _hint(self) -> str | None:
        """Why nothing advances although files are queued, where nobody can work on them."""
        if not self._threads.followed_tasks():
            return None
        try:
            alive = heartbeats.live(self._client, self._context.settings.instance, "analysis")
        except RushesError:
            return None
        if not alive:
            return "No analysis worker is running; start one with `rushes worker analysis`."
        if all(beat.state == "waiting" for beat in alive):
            return alive[0].message
        return None


def _hindrance(folder: FolderLive | None) -> str:
    """What keeps a folder waiting, but for its numbers, such as seconds that pass."""
    if folder is None or folder.state is not WatchState.WAITING:
        return ""
    return "" if folder.reason.startswith(OUTSIDE_HOURS) else _NUMBER.sub("", folder.reason)
