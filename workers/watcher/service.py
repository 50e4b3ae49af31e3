"""The watcher process: one of them is active by a lease and keeps a thread a watch folder."""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from enum import Enum, auto

import msgspec
import redis

from shared.domain import TaskKind
from shared.errors import Missing, NotLeader, RedisAway, RushesError, SettingsError, Unavailable
from shared.ledger.ledger import JobQueues, Ledger
from shared.ledger.left_out import LeftOut
from shared.models.model_catalogue import active_keys
from shared.process.process_mark import has_ended, own_mark
from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.redis.heartbeats import WorkerState
from shared.settings import Settings
from shared.watch.files import FolderFacts, RetryRequests, WatchedFiles
from shared.watch.folders import WatchFolder, WatchFolders
from shared.watch.live import LEASE_S, FolderLive, LiveStatus, SoleLease, WatchLive, WatchState
from shared.webhooks.events import Message, WebhookEvent
from shared.webhooks.outbox import Outbox
from shared.webhooks.subscriptions import Webhooks
from workers.liveness import RedisOutage
from workers.watcher.context import Conditions, WatcherContext
from workers.watcher.folder.watcher import OUTSIDE_HOURS, Ended, FolderWatcher

log = logging.getLogger(__name__)

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


_RENEW_EVERY_S = 2.0

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
