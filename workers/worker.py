"""A worker: takes a job from its queues, claims the Item in the ledger, does and settles it.

Generic over the kind of work. A lost or doubled job does no harm.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import msgspec
import redis
from opentelemetry.trace import get_current_span

from shared.domain import Fault, ModelKind
from shared.errors import Cancelled, HandBack, LeaseLost, RedisAway, RushesError
from shared.ledger.jobs import JobQueues
from shared.ledger.ledger import ledger_of
from shared.ledger.records import Lease, WaitReason
from shared.ledger.totals import LoadCount
from shared.media import HashCache
from shared.process import traces
from shared.process.logs import bound_task
from shared.process.process_mark import own_mark
from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.redis.heartbeats import Heartbeat, WorkerKind, WorkerState
from shared.settings import Settings
from workers.context import Context
from workers.faults import fault_of
from workers.item_span import item_span
from workers.job_consumer import JobConsumer
from workers.liveness import Keeper, Signals, StallTimer
from workers.model_reconciler import ModelReconciler
from workers.models.pool import Loader, ModelPool
from workers.native_calls import NativeCalls
from workers.presence.availability import Availability
from workers.presence.left_items import ItemKey, LeftItems
from workers.presence.not_here import NotHere, NotHereAnyMore
from workers.presence.parked_work import ParkedWork
from workers.redis_outage import RedisOutage

log = logging.getLogger(__name__)

T = TypeVar("T")

_LEFT_JOB_S = 0.02  # so that thousands of jobs that are left to others do not fill a core
_LAST_LEFT_NAPS = 12  # for 2.4 s: another takes it when the sweep, every 2 s, enqueues again
_NAP_STEP_S = 0.2
_LONGEST_PAUSE_S = 2.0
_LAST_WORDS_S = 5.0  # how long a worker that is shutting down waits for Redis to take its outcome
_LAST_CALL_S = 2.0  # for a native call that nobody waits for any more


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of worker: its queues, its work and its models."""

    kind: WorkerKind  # its first queue, and its kind in heartbeats
    run: Callable[[Context], None]
    why_not: Callable[[Context], NotHere | None]  # why this machine cannot do the Item
    models: tuple[ModelKind, ...] = tuple(ModelKind)  # kept warm when somebody wants them
    more_queues: tuple[str, ...] = ()  # from which it takes while its first one is empty

    @property
    def queues(self) -> tuple[str, ...]:
        return (self.kind, *self.more_queues)


class Worker:
    """A worker process: queues, warm models, at most one Item at a time."""

    def __init__(
        self,
        settings: Settings,
        work: Work,
        *,
        stall: StallTimer | None = None,
        loaders: Mapping[ModelKind, Loader] | None = None,
    ) -> None:
        """`stall` and `loaders` replace this project's own time limits and models."""
        assert settings.redis_url, "workers are started with a Redis"
        host, pid, mark = socket.gethostname(), os.getpid(), own_mark()
        self.name = f"{work.kind}-{host}-{pid}-{secrets.token_hex(3)}"
        self.outage = RedisOutage()
        self._settings = settings
        self._work = work
        self._client = connect(settings.redis_url)
        self._pool = ModelPool(settings, loaders)
        self._load_count = LoadCount(self._client, settings.instance)
        self._native = NativeCalls()
        self._availability = seen = Availability(settings)
        self._desired = ModelReconciler(settings, self._client, self._pool, seen, work.models)
        self._hashes = HashCache()
        self._stall = stall or StallTimer()
        self._jobs = JobQueues(connect(settings.redis_url, decode=False), settings.instance)
        self._ledger = ledger_of(settings, self._client, self._jobs)
        self._parked = ParkedWork(self._ledger, settings, *work.queues)
        self._consumer = JobConsumer(settings.redis_url, settings.instance, *work.queues)
        burying = partial(heartbeats.burying, self._client, settings.instance)
        self._keeper = Keeper(self._ledger, self._jobs.enqueue, self._beat, burying, self._stall)
        self._signals: Signals | None = None
        self.is_stopping = False
        self._left = LeftItems()
        self._counts: Counter[str] = Counter()
        self._heart = Heartbeat(
            name=self.name, kind=work.kind, host=host, pid=pid, started_at=time.time(), process=mark
        )

    def take_signals(self) -> None:
        """Let SIGTERM and SIGINT end this worker from now on. Main thread only."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.shut_down())

    def serve(self) -> int:
        """Work until a signal ends it; returns the exit status."""
        self.take_signals()
        self._availability.start()
        self._keeper.start()
        self._parked.start()
        pause_s = _NAP_STEP_S
        while not self.is_stopping:
            try:
                self.look_up()
                job = self._consumer.take()
            except (redis.RedisError, OSError, RedisAway) as error:
                self.outage.begin(error)
                self._nap(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
                continue
            self.outage.end()
            pause_s = _NAP_STEP_S
            if job is not None:
                self.answer(job.task_id, job.item_id)
        self._consumer.close()
        self._keeper.end()
        self._availability.end()
        self._pool.close()
        try:
            heartbeats.leave(self._client, self._settings.instance, self.name)
        except RedisAway:
            log.debug("Redis is away: the heartbeat runs out by itself")
        log.info("Worker %s has ended", self.name)
        traces.shut_down()
        if not self._native.have_ended(_LAST_CALL_S):
            os._exit(0)  # an interpreter that ends under a native call may crash
        return 0

    def shut_down(self) -> None:
        """End after handing back at the next checkpoint. Safe in a signal handler."""
        self.is_stopping = True
        if self._signals:
            self._signals.give_back = True

    def look_up(self) -> None:
        """Load the models that are wanted, between Items."""
        with self._stall.wide():
            self._desired.reconcile(lambda message: self._say("loading", message))
        self._rest()

    def answer(self, task_id: str, item_id: int) -> None:
        """Do what one job asks: claim, do, settle. Never raises an Exception."""
        if self.is_stopping:
            return  # the sweep enqueues again
        if self._leave((task_id, item_id)):
            return  # the same: for others, and for us when the time is over
        nonce = secrets.token_hex(8)
        lease = self._until_redis(lambda: self._ledger.claim(task_id, item_id, self.name, nonce))
        if lease is None:
            return
        with bound_task(task_id), item_span(lease):
            signals = self._signals = Signals(give_back=self.is_stopping)
            try:
                with self._keeper.holding(lease, signals):
                    self._do(lease, signals)
            finally:
                self._signals = None
                self._stall.disarm()
                self._rest()

    def _leave(self, item: ItemKey) -> bool:
        """Leave a job to other workers for a moment, if it is one of those; whether it was."""
        if not self._must_leave(item):
            return False
        more_wait = self._until_redis(lambda: any(map(self._jobs.waiting, self._work.queues)))
        for _ in range(1 if more_wait else _LAST_LEFT_NAPS):
            self._nap(_LEFT_JOB_S if more_wait else _NAP_STEP_S)
            if not self._must_leave(item):
                return False
        return True

    def _must_leave(self, item: ItemKey) -> bool:
        with self._stall.wide():  # it may ask a share, which may hang
            return self._left.holds(item)

    def _do(self, lease: Lease, signals: Signals) -> None:
        context = Context(
            settings=self._settings,
            client=self._client,
            ledger=self._ledger,
            lease=lease,
            signals=signals,
            stall=self._stall,
            pool=self._pool,
            hashes=self._hashes,
            worker=self.name,
            native=self._native,
            say=lambda message: self._say("loading" if message else "working", message),
            counts=self._counts,
        )
        settle = self._run(context)
        self._stall.disarm()

        def end() -> bool:
            context.progress.send_ended_files()
            return settle is None or settle()

        with suppress(LeaseLost):
            if self._until_redis(end) is not False:
                return
        log.warning("Item %d was taken up by another worker", lease.item_id)

    def _run(self, context: Context) -> Callable[[], bool] | None:
        """Do an Item; returns what tells the ledger how it ended, None when it may not."""
        ledger, lease = self._ledger, context.lease
        started = time.monotonic()
        try:
            if not_here := self._until_redis(lambda: self._why_not(context)):
                return self._pass_on(lease, not_here)
            self._say("working", task_id=lease.task_id)
            self._stall.arm()
            self._work.run(context)
        except Cancelled:
            log.info("Item %d stopped", lease.item_id)
            return lambda: ledger.settle(lease, "cancelled")
        except NotHereAnyMore as gone:
            return self._pass_on(lease, gone.not_here)
        except HandBack:
            log.info("Item %d handed back", lease.item_id)
            return lambda: ledger.handback(lease)
        except LeaseLost:
            log.warning("Item %d was taken up by another worker", lease.item_id)
            return None
        except RushesError as error:
            traces.fail(get_current_span(), error)
            reason, fault = error.message, fault_of(error)
            log.warning("Item %d failed: %s", lease.item_id, reason)
        except Exception as error:  # of ours, or a library's own: it fails this Item, no worker
            traces.fail(get_current_span(), error)
            reason, fault = f"An internal error: {type(error).__name__}: {error}", Fault.INTERNAL
            log.exception("Item %d failed by an error of ours", lease.item_id)
        else:
            log.info("Item %d done in %.1f s", lease.item_id, time.monotonic() - started)
            return lambda: ledger.settle(lease, "done", context.reason, result=context.result)
        return lambda: ledger.settle(lease, "failed", reason, fault)

    def _why_not(self, context: Context) -> NotHere | None:
        """Why an Item cannot be done here. Asks shares, which may hang; again in an outage."""
        self._stall.arm()
        return self._work.why_not(context)

    def _pass_on(self, lease: Lease, not_here: NotHere) -> Callable[[], bool]:
        """Hand an Item back for another machine, and leave its jobs to others for a while."""
        self._left.add((lease.task_id, lease.item_id), not_here)
        reason = WaitReason(*(not_here.waits_for or ("root", "")), not_here.reason)
        if not_here.waits_for is None or not_here.is_over is None:
            return lambda: self._ledger.handback(lease, reason)
        self._parked.note(reason, not_here.is_over)
        return lambda: self._refuse(lease, reason)

    def _refuse(self, lease: Lease, reason: WaitReason) -> bool:
        """Hand an Item back that this machine cannot do; when no machine can, it is parked."""
        live = heartbeats.live(self._client, self._settings.instance, self._work.kind)
        hosts = {self._heart.host, *(beat.host for beat in live)}
        return self._ledger.refuse(lease, reason, self._heart.host, sorted(hosts))

    def _rest(self) -> None:
        """Say that nothing is in hand: idle, or waiting for what this machine lacks."""
        reason = self._left.reason
        self._say("waiting" if reason else "idle", reason)

    def _until_redis(self, action: Callable[[], T]) -> T | None:
        """Repeat an action until Redis takes it; gives up only while shutting down."""
        pause_s = _NAP_STEP_S
        gives_up_at: float | None = None
        while True:
            try:
                return action()
            except RedisAway as error:
                if self.is_stopping:
                    gives_up_at = gives_up_at or time.monotonic() + _LAST_WORDS_S
                    if time.monotonic() > gives_up_at:
                        log.warning("Redis did not come back in time: %s", error)
                        return None
                time.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def _nap(self, seconds: float) -> None:
        """Pause, but not past a shutdown."""
        until = time.monotonic() + seconds
        while not self.is_stopping and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _NAP_STEP_S))

    def _say(self, state: WorkerState, message: str = "", task_id: str | None = None) -> None:
        """Set what the heartbeat says from now on."""
        if task_id is None and state != "idle":
            task_id = self._heart.task_id
        has_loaded = self._heart.state == "loading" != state
        self._heart = msgspec.structs.replace(
            self._heart, state=state, message=message, task_id=task_id
        )
        if has_loaded:
            self._keeper.tell()

    def _beat(self) -> None:
        heart = msgspec.structs.replace(
            self._heart,
            models=self._desired.states(),
            held=self._pool.held(),
            roots=self._availability.roots(),
            stats={**self._counts, "model_loads": self._pool.loads.total()},
        )
        heartbeats.publish(self._client, self._settings.instance, heart)
        self._load_count.tell(self._pool.loads)
