"""The lease of the active watcher, which other work of one process has, too; and what it says."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import redis
from redis.commands.core import Script

from shared.msgspec_decoding import decoded
from shared.redis.clients import key_prefix

LEASE = "watch:leader"  # holds the token of the active watcher, as all do that of their holder
LEASE_S = 8.0
_LUA = Path(__file__).parent / "lua"


def script(client: redis.Redis, name: str) -> Script:
    """One of lua/."""
    return client.register_script((_LUA / f"{name}.lua").read_text(encoding="utf-8"))


class SoleLease:
    """One lease of one instance, by its `name`. `client` must decode responses."""

    def __init__(self, client: redis.Redis, instance: str, name: str = LEASE) -> None:
        self._redis = client
        self._key = f"{key_prefix(instance)}{name}"
        self._take = script(client, "take")
        self._renew = script(client, "renew")
        self._leave = script(client, "leave")

    def acquire(self, token: str, ttl_s: float = LEASE_S) -> bool:
        """Become, or stay, the holder; False: another one is."""
        return bool(self._take(keys=[self._key], args=[token, int(ttl_s * 1000)]))

    def renew(self, token: str, ttl_s: float = LEASE_S) -> bool:
        """Stay the holder. False: it was lost, perhaps with all that was in Redis."""
        return bool(self._renew(keys=[self._key], args=[token, int(ttl_s * 1000)]))

    def release(self, token: str) -> None:
        """Another one may take it at once."""
        self._leave(keys=[self._key], args=[token])

    def holder(self) -> str | None:
        found: Any = self._redis.get(self._key)
        return found or None

    def is_held(self) -> bool:
        return bool(self._redis.exists(self._key))

    def redis_run(self) -> str:
        """Which start of Redis answers: another one may have lost what was written last."""
        return str(self._redis.info("server").get("run_id", ""))


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
