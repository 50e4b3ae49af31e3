"""What the active watcher and the API tell each other: the lease, the live state, what is asked."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import redis
from redis.commands.core import Script

from shared.decoding import UNDECODABLE
from shared.redis.clients import key_prefix, translated

LEASE = "watch:leader"  # holds the token of the one active watcher
LEASE_S = 8.0
_MOST_ASKS = 1000  # read at once
ROOM = "watch-folders"  # Socket.IO room, and what rings its bell on the progress channel
_LUA = Path(__file__).parent / "lua"


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


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What the API asks the watcher to do with a folder.

    New tries for failed files (`paths` None: for all), and to take root and cache folder as they
    are now, where it waits because another one was there before.
    """

    folder_id: str
    paths: tuple[str, ...] | None = None  # in the server's form


def script(client: redis.Redis, name: str) -> Script:
    """One of lua/watch."""
    return client.register_script((_LUA / f"{name}.lua").read_text(encoding="utf-8"))


class WatchBoard:
    """That of one instance. `client` must decode responses."""

    def __init__(self, client: redis.Redis, instance: str) -> None:
        self._redis = client
        prefix = key_prefix(instance)
        self._progress = f"{prefix}progress"
        self._lease = f"{prefix}{LEASE}"
        self._live = f"{prefix}watch:live"
        self._seq = f"{prefix}watch:seq"
        self._asks = f"{prefix}watch:asks"
        self._take = script(client, "take")
        self._renew = script(client, "renew")
        self._leave = script(client, "leave")

    def take(self, token: str, ttl_s: float = LEASE_S) -> bool:
        """Become, or stay, the one active watcher; False: another one is."""
        with translated():
            return bool(self._take(keys=[self._lease], args=[token, int(ttl_s * 1000)]))

    def renew(self, token: str, ttl_s: float = LEASE_S) -> bool:
        """Go on being it. False: the lease was lost, perhaps with all that was in Redis."""
        with translated():
            return bool(self._renew(keys=[self._lease], args=[token, int(ttl_s * 1000)]))

    def leave(self, token: str) -> None:
        """End being it; a spare takes over at once."""
        with translated():
            self._leave(keys=[self._lease], args=[token])

    def server(self) -> str:
        """Which start of Redis answers: another one may have lost what was written last."""
        with translated():
            found: Any = self._redis.info("server")
        return str(found.get("run_id", ""))

    def has_watcher(self) -> bool:
        """Whether there is an active watcher."""
        with translated():
            return bool(self._redis.exists(self._lease))

    def publish(self, live: WatchLive) -> None:
        """Say what is going on, to those who ask and to the Socket.IO room."""
        with translated(), self._redis.pipeline() as pipe:
            pipe.set(self._live, msgspec.json.encode(live))
            self._tell(pipe)
            pipe.execute()

    def read(self) -> WatchLive | None:
        """What the active watcher said last; None where there is none, or it has said nothing."""
        with translated():
            lease, raw = self._redis.mget([self._lease, self._live])
        try:
            return msgspec.json.decode(raw, type=WatchLive) if lease and raw else None
        except UNDECODABLE:
            return None

    def tell(self) -> None:
        """Something that clients see has changed: ring the Socket.IO room."""
        with translated(), self._redis.pipeline() as pipe:
            self._tell(pipe)
            pipe.execute()

    def seq(self) -> int:
        """Grows with every change."""
        with translated():
            found: Any = self._redis.get(self._seq)
        return int(found or 0)

    def ask(self, ask: Ask) -> None:
        """Leave word for the watcher, or for the next one."""
        with translated():
            self._redis.rpush(self._asks, msgspec.json.encode(ask))

    def asked(self) -> Sequence[Ask]:
        """What was asked, oldest first. It stays until `done` takes it away."""
        with translated():
            raws: Any = self._redis.lrange(self._asks, 0, _MOST_ASKS)
        return [msgspec.json.decode(raw, type=Ask) for raw in raws]

    def done(self, ask: Ask) -> None:
        """It has been passed on."""
        with translated():
            self._redis.lrem(self._asks, 1, msgspec.json.encode(ask).decode())

    def _tell(self, pipe: Any) -> None:
        pipe.incr(self._seq)
        pipe.publish(self._progress, ROOM)
