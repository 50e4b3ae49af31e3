"""A worker: takes jobs from its queues, claims their Items in the ledger, has its slots do them.

Generic over the kind of work. A lost or doubled job does no harm.
"""

from __future__ import annotations

import logging
import math
import os
import secrets
import socket
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import redis
from msgspec import Meta
from opentelemetry.trace import Span, SpanKind, get_current_span

from shared.domain import Fault, ModelKind
from shared.errors import (
    Cancelled,
    HandBack,
    LeaseLost,
    RedisAway,
    RushesError,
    TriedBefore,
)
from shared.ledger.ledger import FUNCTION, JobQueues, LoadCount, job_key, ledger_of, queue_key
from shared.ledger.records import Lease, WaitReason
from shared.process import machine, traces
from shared.process.logs import bound_task
from shared.redis import heartbeats
from shared.redis.clients import connect, connect_blocking
from shared.redis.heartbeats import Heartbeat, WorkerKind, WorkerState
from shared.settings import Settings
from workers.context import Bench, Context, NativeCalls, fault_of
from workers.decode_pool import Cores, CoresOfItem, DecodePool
from workers.liveness import (
    LONGEST_PAUSE_S,
    NAP_STEP_S,
    Keeper,
    RedisOutage,
    Shutdown,
    Signals,
    StallTimer,
)
from workers.media.stills import decode_apart
from workers.model_reconciler import ModelReconciler
from workers.models.pool import Loader, ModelPool
from workers.models.weights.fetcher import WeightsFetcher
from workers.presence.availability import Availability
from workers.presence.left_items import ItemKey, LeftItems, NotHere, NotHereAnyMore, ParkedWork

log = logging.getLogger(__name__)

_UNSETTLED = "lost"  # until the ledger takes another outcome of this try


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of worker: its queue, its work and its models."""

    kind: WorkerKind  # its queue, and its kind in heartbeats
    run: Callable[[Context], None]
    why_not: Callable[[Context], NotHere | None]  # why this machine cannot do the Item
    models: tuple[ModelKind, ...] = tuple(ModelKind)  # kept warm when somebody wants them


class Said(NamedTuple):
    """What a heartbeat says of an Item in hand."""

    state: WorkerState
    message: str
    task_id: str


@dataclass(eq=False)
class Slot:
    """Room for one Item. It costs nothing while there is none."""

    bench: Bench
    work: Work
    stall: StallTimer
    keeper: Keeper
    cores: Cores
    left: LeftItems
    parked: ParkedWork
    shutdown: Shutdown
    native: NativeCalls = field(default_factory=NativeCalls)
    counts: Counter[str] = field(default_factory=Counter)  # since the start; of the Item's thread
    said: Said | None = None  # None: no Item is worked on
    _signals: Signals | None = None
    _thread: threading.Thread | None = None

    @property
    def is_free(self) -> bool:
        """Whether no Item is in hand."""
        return self._signals is None

    def begin(self, lease: Lease, cores: CoresOfItem) -> None:
        """Do an Item to its end, in the slot's thread. `cores` are left when it has ended."""
        assert self.is_free, "a slot holds one Item"
        signals = self._signals = Signals()
        signals.give_back = self.shutdown.is_on  # else the handler finds the signals
        words = (lease, signals, cores)
        name = f"item-{lease.item_id}"
        self._thread = threading.Thread(target=self._hold, args=words, name=name, daemon=True)
        self._thread.start()

    def give_back(self) -> None:
        """Have the Item handed back at its next checkpoint. Safe in a signal handler."""
        if signals := self._signals:
            signals.give_back = True

    def wait(self) -> None:
        if self._thread:
            self._thread.join()

    def _hold(self, lease: Lease, signals: Signals, cores: CoresOfItem) -> None:
        try:
            with (
                bound_task(lease.task_id),
                item_span(lease),
                self.keeper.holding(lease, signals, self.stall),
            ):
                self._do(lease, signals, cores)
        finally:
            self.stall.disarm()
            self.said = self._signals = None
            self.cores.leave(cores)

    def _do(self, lease: Lease, signals: Signals, cores: CoresOfItem) -> None:
        context = Context(
            self.bench,
            lease,
            signals,
            self.stall,
            self.native,
            cores,
            say=lambda message: self._say(lease, message),
            counts=self.counts,
        )
        settle = self._run(context)
        self.stall.disarm()

        def end() -> bool:
            context.progress.send_ended_files()
            return settle is None or settle()

        with suppress(LeaseLost):
            if self.shutdown.until_redis(end) is not False:
                return
        log.warning("Item %d was taken up by another worker", lease.item_id)

    def _run(self, context: Context) -> Callable[[], bool] | None:
        """Do an Item; returns what tells the ledger how it ended, None when it may not."""
        ledger, lease = self.bench.ledger, context.lease
        started = time.monotonic()
        try:
            if not_here := self.shutdown.until_redis(lambda: self._why_not(context)):
                return self._pass_on(lease, not_here)
            self._say(lease)
            self.stall.arm()
            self.work.run(context)
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
        self.stall.arm()
        return self.work.why_not(context)

    def _pass_on(self, lease: Lease, not_here: NotHere) -> Callable[[], bool]:
        """Hand an Item back for another machine, and leave its jobs to others for a while."""
        ledger = self.bench.ledger
        self.left.add((lease.task_id, lease.item_id), not_here)
        reason = WaitReason(*(not_here.waits_for or ("root", "")), not_here.reason)
        if not_here.waits_for is None or not_here.is_over is None:
            return lambda: ledger.handback(lease, reason)
        self.parked.note(reason, not_here.is_over)
        return lambda: self._refuse(lease, reason)

    def _refuse(self, lease: Lease, reason: WaitReason) -> bool:
        """Hand an Item back that this machine cannot do; when no machine can, it is parked."""
        bench = self.bench
        live = heartbeats.live(bench.client, bench.settings.instance, self.work.kind)
        here = socket.gethostname()
        hosts = {here, *(beat.host for beat in live)}
        return bench.ledger.refuse(lease, reason, here, sorted(hosts))

    def _say(self, lease: Lease, loading: str = "") -> None:
        """Set what the heartbeat says from now on; `loading`: that a model is, and which."""
        has_loaded = self.said and self.said.state == "loading" and not loading
        self.said = Said("loading" if loading else "working", loading, lease.task_id)
        if has_loaded:
            self.keeper.tell()


def item_span(lease: Lease) -> AbstractContextManager[Span]:
    """The span of one try of an Item, active in the block.

    While traces are off it records nothing, but the sender's trace id stays with it for the log.
    """
    return traces.tracer().start_as_current_span(
        f"{lease.kind} item",
        traces.context_of(lease.trace),
        SpanKind.CONSUMER,
        {
            "rushes.task_id": lease.task_id,
            "rushes.item_id": lease.item_id,
            "rushes.kind": lease.kind,
            "rushes.tries": lease.tries,
            "rushes.worker": lease.worker,
            "rushes.outcome": _UNSETTLED,
        },
    )


BLOCK_S = 1.0  # of one blocking pop; so long a stop waits for an idle worker
_LARGEST_JOB = 1024  # bytes, packed or not; ours have 130
_SHOWN = 80  # characters of what a foreign job names

assert FUNCTION == "workers.worker.answer_bell", "a Literal cannot name a constant"


class ItemToDo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a job says: which Item waits for a worker."""

    task_id: Annotated[str, Meta(pattern="^[0-9a-zA-Z_-]{1,64}$")]
    item_id: Annotated[int, Meta(ge=0)]


# Function, instance, arguments and keyword arguments, as RQ writes a job in JSON.
_JOB = tuple[Literal["workers.worker.answer_bell"], None, tuple[()], ItemToDo]


class _Foreign(Exception):
    """A job that names something else than our function; the message says what."""


class JobConsumer:
    """Takes the jobs of queues, the first before others, as mere words; one a thread: a pop blocks.

    RQ's own worker imports and calls whatever a job names, and unpickles what lies beside it. So
    whoever can write to Redis would run what he likes.
    """

    def __init__(self, redis_url: str, instance: str, *queues: str) -> None:
        self._redis = connect_blocking(redis_url, block_s=BLOCK_S, decode=False, kind=redis.Redis)
        self._queues = [queue_key(instance, queue) for queue in queues]

    def take(self) -> ItemToDo | None:
        """The next job of ours; None after BLOCK_S, or where a foreign one was dropped.

        Raises redis-py's errors while Redis is away. A job that is lost after it was taken does no
        harm: the sweep enqueues again.
        """
        popped: Any = self._redis.blpop(self._queues, timeout=BLOCK_S)
        if popped is None:
            return None
        key = job_key(popped[1])
        try:
            return _understood(self._data(key))
        except _Foreign as foreign:
            log.warning("A job that is not ours was dropped: %r", str(foreign)[:_SHOWN])
            return None
        finally:
            self._redis.unlink(key)

    def close(self) -> None:
        self._redis.close()

    def _data(self, key: bytes) -> bytes | None:
        """What RQ calls the data of a job; None where the job is gone, as an expired one."""
        try:
            if self._redis.hstrlen(key, "data") > _LARGEST_JOB:
                raise _Foreign(f"more than {_LARGEST_JOB} bytes")
            found: bytes | None = self._redis.hget(key, "data")  # type: ignore[assignment]
        except redis.ResponseError as error:
            raise _Foreign(str(error)) from error
        return found


def _understood(data: bytes | None) -> ItemToDo | None:
    if data is None:
        return None
    try:
        text = zlib.decompressobj().decompress(data, _LARGEST_JOB)
    except zlib.error:
        raise _Foreign(repr(data)) from None
    try:
        job: tuple[Any, ...] = msgspec.json.decode(text, type=_JOB)
    except (msgspec.MsgspecError, RecursionError):
        raise _Foreign(text.decode(errors="backslashreplace")) from None
    item: ItemToDo = job[3]
    return item


_LEFT_JOB_S = 0.02  # so that thousands of jobs that are left to others do not fill a core
_LAST_LEFT_NAPS = 12  # for 2.4 s: another takes it when the sweep, every 2 s, enqueues again
_ASK_EVERY_S = 2.0
_LAST_CALL_S = 2.0  # for native calls that nobody waits for any more

_Threads = tuple[Keeper | Availability | ParkedWork | WeightsFetcher, ...]


class Worker:
    """A worker process: queues, warm models, and several analyses at once where cores are free."""

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
        client = connect(settings.redis_url)
        self._heart = heart = heartbeats.first_heartbeat(work.kind)
        self._work = work
        self._outage = RedisOutage()
        self._shutdown = Shutdown()
        self._stall = stall or StallTimer()
        self._load_count = LoadCount(client, settings.instance)
        self._availability = seen = Availability(settings)
        self._jobs = JobQueues(connect(settings.redis_url, decode=False), settings.instance)
        self._consumer = JobConsumer(settings.redis_url, settings.instance, work.kind)
        ledger, pool = ledger_of(settings, client, self._jobs), ModelPool(settings, loaders)
        threads = machine.decode_threads(settings) if work.kind == "analysis" else 1
        self._bench = Bench(settings, client, ledger, heart.name, pool, DecodePool(threads))
        self._desired = ModelReconciler(settings, client, pool, seen, work.models)
        parked = ParkedWork(ledger, settings, work.kind)
        burying = partial(heartbeats.burying, client, settings.instance)
        self._keeper = Keeper(ledger, self._jobs.enqueue, self._beat, burying)
        fetcher = [WeightsFetcher(settings, client, heart.name)] if work.models else []
        self._threads: _Threads = (self._keeper, seen, parked, *fetcher)
        self._left = left = LeftItems()
        self._cores = cores = Cores(threads)
        self._loading = ""  # what is loaded between Items
        self._job: ItemToDo | None = None  # one that waits for room
        self._ask_at = math.inf  # when to ask whether what waits to be alone still does
        self._needs_all = False  # of the cores: what comes next has no Item beside it
        of_slots = (self._keeper, cores, left, parked, self._shutdown)
        timers = [self._stall.another() for _ in range(threads)]
        self._slots = [Slot(self._bench, work, timer, *of_slots) for timer in timers]

    def serve(self) -> int:
        """Work until it is shut down; returns the exit status."""
        decode_apart(self._bench.decoders.threads)
        for thread in self._threads:
            thread.start()
        pause_s = NAP_STEP_S
        while not self._shutdown.is_on:
            if not self._cores.wait_for_room(NAP_STEP_S, of_all=self._needs_all):
                self._ask_again()
                continue
            try:
                job = self._next_job()
            except (redis.RedisError, OSError, RedisAway) as error:
                self._outage.begin(error)
                self._shutdown.nap(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            self._outage.end()
            pause_s = NAP_STEP_S
            if job is not None:
                self._answer(job)
        for slot in self._slots:
            slot.wait()
        return self._leave()

    def shut_down(self) -> None:
        """End after handing back at the next checkpoint. Safe in a signal handler."""
        self._shutdown.is_on = True
        for slot in self._slots:
            slot.give_back()

    def _leave(self) -> int:
        self._consumer.close()
        for thread in self._threads:
            thread.end()
        self._bench.pool.close()
        heartbeats.leave(self._bench.client, self._bench.settings.instance, self._heart.name)
        log.info("Worker %s has ended", self._heart.name)
        traces.shut_down()
        self._bench.decoders.close()
        until = time.monotonic() + _LAST_CALL_S
        calls = (self._bench.batches, *(slot.native for slot in self._slots))
        if not all([each.have_ended(max(0, until - time.monotonic())) for each in calls]):
            os._exit(0)  # an interpreter that ends under a native call may crash
        return 0

    def _next_job(self) -> ItemToDo | None:
        """A job for whose Item there is room; None where there was none for a while.

        Raises redis-py's errors and RedisAway.
        """
        self._ask_at = math.inf
        self._needs_all = not self._look_up()
        if self._needs_all:
            return None
        job, self._job = self._job or self._consumer.take(), None
        if job and not self._cores.has_room:  # an Item in hand has found more to do meanwhile
            self._job = job
            return None
        return job

    def _look_up(self) -> bool:
        """Load the models that are wanted, between Items; False: they wait for those in hand."""
        with self._stall.wide():
            try:
                return self._desired.reconcile(self._say_loading, self._cores.is_unused)
            finally:
                self._say_loading("")

    def _answer(self, job: ItemToDo) -> None:
        """Claim what one job asks for and have a slot do it."""
        if self._shutdown.is_on:
            return  # the sweep enqueues again
        if self._passes((job.task_id, job.item_id)):
            return  # the same: for others, and for us when the time is over
        nonce = secrets.token_hex(8)
        is_alone = self._cores.is_unused

        def claim() -> Lease | None:
            of_item = job.task_id, job.item_id, self._heart.name, nonce
            return self._bench.ledger.claim(*of_item, untried=not is_alone)

        try:
            lease = self._shutdown.until_redis(claim)
        except TriedBefore:  # it may have ended its worker, and others with it
            self._job, self._needs_all = job, True
            self._ask_at = time.monotonic() + _ASK_EVERY_S
            return
        if lease is not None:
            slot = next(slot for slot in self._slots if slot.is_free)
            slot.begin(lease, self._cores.enter(alone=lease.tries > 0))

    def _ask_again(self) -> None:
        """Do not wait for an Item to be done alone that another worker has, or that is over."""
        has_slot = any(slot.is_free for slot in self._slots)
        if self._job and has_slot and time.monotonic() > self._ask_at:
            job, self._job, self._needs_all = self._job, None, False
            self._ask_at = math.inf
            self._answer(job)

    def _passes(self, item: ItemKey) -> bool:
        """Leave a job to other workers for a moment, if it is one of those; whether it was."""
        if not self._must_pass(item):
            return False
        waiting = self._jobs.waiting
        more_wait = self._shutdown.until_redis(lambda: waiting(self._work.kind))
        for _ in range(1 if more_wait else _LAST_LEFT_NAPS):
            self._shutdown.nap(_LEFT_JOB_S if more_wait else NAP_STEP_S)
            if not self._must_pass(item):
                return False
        return True

    def _must_pass(self, item: ItemKey) -> bool:
        with self._stall.wide():  # it may ask a share, which may hang
            return self._left.holds(item)

    def _say_loading(self, message: str) -> None:
        has_loaded = self._loading and not message
        self._loading = message
        if has_loaded:
            self._keeper.tell()

    def _beat(self) -> None:
        counts: Counter[str] = Counter()
        for slot in self._slots:
            counts.update(dict(slot.counts))
        heart = msgspec.structs.replace(
            self._with_state(),
            models=self._desired.states(),
            held=self._bench.pool.held(),
            roots=self._availability.roots(),
            stats={**counts, "model_loads": self._bench.pool.loads.total()},
        )
        heartbeats.publish(self._bench.client, self._bench.settings.instance, heart)
        self._load_count.tell(self._bench.pool.loads)

    def _with_state(self) -> Heartbeat:
        """The heartbeat with what is done; of several Items one that is worked on counts most."""
        said = [said for slot in self._slots if (said := slot.said)]
        if said:
            state, message, task_id = max(said, key=lambda each: each.state == "working")
        elif self._loading:
            state, message, task_id = "loading", self._loading, None
        else:
            message = self._left.reason
            state, task_id = "waiting" if message else "idle", None
        return msgspec.structs.replace(self._heart, state=state, message=message, task_id=task_id)
