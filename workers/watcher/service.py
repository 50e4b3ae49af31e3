"""The watcher process: one of them is active by a lease and keeps a thread a watch folder."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import threading
import time

import msgspec

from shared.errors import RedisAway, SettingsError, Unavailable
from shared.ledger.bells import Bells
from shared.ledger.ledger import Ledger
from shared.models.active_models import active_keys
from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.redis.heartbeats import Heartbeat, WorkerState
from shared.settings import Settings
from shared.watch.board import LEASE_S, WatchBoard
from shared.watch.files import WatchedFiles
from shared.watch.folders import WatchFolders
from workers.redis_outage import RedisOutage
from workers.watcher.term import LostLease, Term
from workers.watcher.tools import Situation, Tools

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.5
_RENEW_EVERY_S = 2.0
_BEAT_EVERY_S = 3.0
_LAST_WORDS_S = 5.0


class WatchService:
    """One process; `serve` runs until a signal ends it."""

    def __init__(self, settings: Settings) -> None:
        assert settings.redis_url, "workers are started with a Redis"
        self._settings = settings
        self._client = connect(settings.redis_url)
        instance = settings.instance
        self._board = WatchBoard(self._client, instance)
        self._folders = WatchFolders(self._client, instance, settings.state_dir)
        self._files = WatchedFiles(self._client, instance)
        self._ledger = Ledger(self._client, instance)
        self._bells = Bells(connect(settings.redis_url, decode=False), instance)
        self._outage = RedisOutage()
        self._trouble = ""
        self._told_to_end = threading.Event()
        self._term: Term | None = None
        self._server = ""  # which start of Redis it is
        self._renewed_at = 0.0
        self._beaten_at = 0.0
        host = socket.gethostname()
        self._heart = Heartbeat(
            name=f"watcher-{host}-{os.getpid()}-{secrets.token_hex(3)}",
            kind="watcher",
            host=host,
            pid=os.getpid(),
            started_at=time.time(),
        )

    def take_signals(self) -> None:
        """SIGTERM and SIGINT end this process from now on. Main thread only."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._told_to_end.set())

    def serve(self) -> int:
        """Watch, or stand by, until a signal ends it; returns the exit status."""
        self.take_signals()
        while not self._told_to_end.is_set():
            try:
                self._look()
                self._outage.end()
            except LostLease as lost:
                log.warning("not the active watcher any more: %s", lost)
                self._stand_down()
            except RedisAway as error:
                self._outage.begin(error.message)
                if self._term and time.monotonic() - self._renewed_at > LEASE_S:
                    self._stand_down()  # another one may be active by now
            except (SettingsError, Unavailable) as error:  # what is kept in STATE_DIR
                if error.message != self._trouble:
                    log.error("the watcher waits: %s", error.message)
                self._trouble = error.message
            self._told_to_end.wait(_LOOK_EVERY_S)
        self._leave()
        return 0

    def _look(self) -> None:
        """Everything that the main thread does: it touches no media."""
        if self._term is None:
            self._try_to_begin()
        elif time.monotonic() - self._renewed_at > _RENEW_EVERY_S:
            self._renew(self._term)
        if self._term:
            self._term.look()
        self._beat()

    def _try_to_begin(self) -> None:
        token = secrets.token_hex(16)
        self._server = self._board.server()
        if not self._board.take(token):
            return
        self._renewed_at = time.monotonic()
        log.info("this is the active watcher now")
        tools = Tools(
            settings=self._settings,
            ledger=self._ledger,
            bells=self._bells,
            files=self._files,
            token=token,
            situation=Situation(keys=active_keys(self._client, self._settings)),
        )
        self._term = Term(tools, self._client, self._folders, self._board)

    def _renew(self, term: Term) -> None:
        asked_at = time.monotonic()
        if not self._board.renew(term.token):
            raise LostLease("the lease ran out, or Redis has lost what it held")
        if self._board.server() != self._server:  # what is in it decides, not what we remember
            self._board.leave(term.token)
            raise LostLease("Redis was started anew, and may have lost what was written last")
        self._renewed_at = asked_at

    def _stand_down(self) -> None:
        if self._term:
            self._term.end()
        self._term = None

    def _beat(self) -> None:
        if time.monotonic() - self._beaten_at < _BEAT_EVERY_S:
            return
        state: WorkerState = "working" if self._term and self._term.is_running else "idle"
        message = "" if self._term else "Another watcher is active; this one stands by."
        heart = msgspec.structs.replace(self._heart, state=state, message=message)
        heartbeats.publish(self._client, self._settings.instance, heart)
        self._beaten_at = time.monotonic()

    def _leave(self) -> None:
        """Let a spare take over at once."""
        token = self._term.token if self._term else None
        self._stand_down()
        try:
            if token:
                self._board.leave(token)
            heartbeats.leave(self._client, self._settings.instance, self._heart.name)
        except RedisAway:
            log.debug("Redis is away: lease and heartbeat run out by themselves")
        log.info("the watcher has ended")
