"""The watcher process: one of them is active by a lease and keeps a thread a watch folder."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time

import msgspec

from shared.errors import RedisAway, SettingsError, Unavailable
from shared.ledger.ledger import JobQueues, Ledger
from shared.ledger.left_out import LeftOut
from shared.models.model_catalogue import active_keys
from shared.process.process_mark import has_ended, own_mark
from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.redis.heartbeats import WorkerState
from shared.settings import Settings
from shared.watch.files import WatchedFiles
from shared.watch.folders import WatchFolders
from shared.watch.live import LEASE_S, SoleLease
from workers.liveness import RedisOutage
from workers.watcher.active_watcher import ActiveWatcher
from workers.watcher.context import Conditions, WatcherContext

_RENEW_EVERY_S = 2.0

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.5
_BEAT_EVERY_S = 3.0


class WatchService:
    """One process; `serve` runs until `shut_down`."""

    def __init__(self, settings: Settings) -> None:
        assert settings.redis_url, "workers are started with a Redis"
        self._settings = settings
        self._client = connect(settings.redis_url)
        instance = settings.instance
        self._lease = SoleLease(self._client, instance)
        self._leadership = Leadership(self._lease)
        self._folders = WatchFolders(self._client, instance, settings.state_dir)
        self._files = WatchedFiles(self._client, instance)
        self._ledger = Ledger(self._client, instance)
        self._jobs = JobQueues(connect(settings.redis_url, decode=False), instance)
        self._outage = RedisOutage()
        self._trouble = ""
        self._told_to_end = threading.Event()
        self._active: ActiveWatcher | None = None  # None: a spare that stands by
        self._beaten_at = 0.0
        self._heart = heartbeats.first_heartbeat("watcher")

    def shut_down(self) -> None:
        """End soon. Safe in a signal handler."""
        self._told_to_end.set()

    def serve(self) -> int:
        """Watch, or stand by, until it is shut down; returns the exit status."""
        while not self._told_to_end.is_set():
            try:
                self._look()
                self._outage.end()
            except LeadershipLost as lost:
                log.warning("not the active watcher any more: %s", lost)
                self._step_down()
            except RedisAway as error:
                self._outage.begin(error.message)
                if self._leadership.has_expired():
                    self._step_down()  # another one may be active by now
            except (SettingsError, Unavailable) as error:  # what is kept in STATE_DIR
                if error.message != self._trouble:
                    log.error("the watcher waits: %s", error.message)
                self._trouble = error.message
            self._told_to_end.wait(_LOOK_EVERY_S)
        self._leave()
        return 0

    def _look(self) -> None:
        """Everything that the main thread does: it touches no media."""
        if self._active is None:
            self._campaign()
        else:
            self._leadership.renew()
        if self._active:
            self._active.look()
        self._beat()

    def _campaign(self) -> None:
        token = self._leadership.campaign()
        if token is None:
            return
        log.info("this is the active watcher now")
        context = WatcherContext(
            settings=self._settings,
            ledger=self._ledger,
            jobs=self._jobs,
            files=self._files,
            token=token,
            conditions=Conditions(keys=active_keys(self._client, self._settings)),
            left_out=LeftOut(self._client, self._settings.instance, str),  # by id; see LeftOutFiles
        )
        self._active = ActiveWatcher(context, self._client, self._folders, self._leadership.renew)

    def _step_down(self) -> str | None:
        """Ask all threads to end; the token that was ours."""
        if self._active:
            self._active.end()
        self._active = None
        return self._leadership.step_down()

    def _beat(self) -> None:
        if time.monotonic() - self._beaten_at < _BEAT_EVERY_S:
            return
        is_working = self._active is not None and self._active.report.is_running
        state: WorkerState = "working" if is_working else "idle"
        message = "" if self._active else "Another watcher is active; this one stands by."
        heart = msgspec.structs.replace(self._heart, state=state, message=message)
        heartbeats.publish(self._client, self._settings.instance, heart)
        self._beaten_at = time.monotonic()

    def _leave(self) -> None:
        """Let a spare take over at once."""
        token = self._step_down()
        if token:
            with contextlib.suppress(RedisAway):  # then it runs out by itself
                self._lease.release(token)
        heartbeats.leave(self._client, self._settings.instance, self._heart.name)
        log.info("the watcher has ended")


class LeadershipLost(Exception):
    """This is not the active watcher any more."""


class Leadership:
    """The lease, as the main thread holds or wants it. Every method raises RedisAway."""

    def __init__(self, lease: SoleLease) -> None:
        self._lease = lease
        self._redis_run = ""
        self._renewed_at = 0.0
        self.token: str | None = None  # None: another one leads, or nobody

    def campaign(self) -> str | None:
        """Try to become the active watcher; the token if it is won."""
        token = f"{own_mark()}/{secrets.token_hex(16)}"
        if (holder := self._lease.holder()) and has_ended(holder.rpartition("/")[0]):
            self._lease.release(holder)
        self._redis_run = self._lease.redis_run()
        self.token = token if self._lease.acquire(token) else None
        self._renewed_at = time.monotonic()
        return self.token

    def renew(self) -> None:
        """Renew the lease when that is due; call it often. Raises LeadershipLost."""
        assert self.token, "only the leader has a lease"
        asked_at = time.monotonic()
        if asked_at - self._renewed_at <= _RENEW_EVERY_S:
            return
        if not self._lease.renew(self.token):
            raise LeadershipLost("the lease ran out, or Redis has lost what it held")
        if self._lease.redis_run() != self._redis_run:  # what is in it decides, not our memory
            self._lease.release(self.token)
            raise LeadershipLost("Redis was started anew, and may have lost what was written last")
        self._renewed_at = asked_at

    def has_expired(self) -> bool:
        """Whether another one may lead by now: the lease could not be renewed for its length."""
        return self.token is not None and time.monotonic() - self._renewed_at > LEASE_S

    def step_down(self) -> str | None:
        """Lead no more, without a word to Redis; the token that was ours."""
        token, self.token = self.token, None
        return token
