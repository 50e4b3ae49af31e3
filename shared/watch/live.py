"""What the active watcher says of itself and its folders, and the word that something changed."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec
import redis

from shared.msgspec_decoding import decoded
from shared.redis.clients import key_prefix
from shared.watch.lease import LEASE

NO_WATCHER = "No watcher is running; start one with `rushes watcher`."
STOPPED = "The service is stopped; start it with POST /watch-folders/service/start."
ROOM = "watch-folders"  # Socket.IO room, and what the progress channel calls it


class WatchState(StrEnum):
    """Of the service, and of each folder."""

    STOPPED = "stopped"
    RUNNING = "running"
    STOPPING = "stopping"
    PAUSED = "paused"
    WAITING = "waiting"


class FolderLive(msgspec.Struct, frozen=True, kw_only=True):
    """What the watcher does with one folder. `reason` says why it waits, "" where nothing hinders.

    Paths are in the client's form; times in Unix seconds.
    """

    state: WatchState
    reason: str = ""
    is_unreachable: bool = False  # its root, as `reason` says
    current_file: str | None = None
    is_scanning: bool = False
    is_polling: bool | None = None  # None: not found out yet
    last_scan_at: float | None = None


class WatchLive(msgspec.Struct, frozen=True, kw_only=True):
    """What the active watcher says of itself, about once a second while something happens."""

    state: WatchState
    current_folder: str | None = None
    current_file: str | None = None
    files_processed: int = 0  # since the service was started last
    last_error: str | None = None
    folders: dict[str, FolderLive] = {}


class LiveStatus:
    """What is said in one instance. `client` must decode responses."""

    def __init__(self, client: redis.Redis, instance: str) -> None:
        self._redis = client
        prefix = key_prefix(instance)
        self._progress = f"{prefix}progress"
        self._lease = f"{prefix}{LEASE}"
        self._live = f"{prefix}watch:live"
        self._seq = f"{prefix}watch:seq"

    def publish(self, live: WatchLive) -> None:
        """Say what is going on, to those who ask and to the Socket.IO room."""
        with self._redis.pipeline() as pipe:
            pipe.set(self._live, msgspec.json.encode(live))
            self._announce(pipe)
            pipe.execute()

    def read(self) -> WatchLive | None:
        """What the active watcher said last; None where there is none, or it has said nothing."""
        lease, raw = self._redis.mget([self._lease, self._live])
        return decoded(raw, WatchLive) if lease else None

    def announce(self) -> None:
        """Tell the Socket.IO room that something which clients see has changed."""
        with self._redis.pipeline() as pipe:
            self._announce(pipe)
            pipe.execute()

    def _announce(self, pipe: Any) -> None:
        pipe.incr(self._seq)
        pipe.publish(self._progress, ROOM)
