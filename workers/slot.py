"""A slot of a worker: does one Item at a time, in a thread of its own, and settles it.

Generic over the kind of work. Slots share nothing that one Item could leave behind for another.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import NamedTuple

from opentelemetry.trace import Span, SpanKind, get_current_span

from shared.domain import Fault, ModelKind
from shared.errors import (
    Cancelled,
    HandBack,
    LeaseLost,
    RushesError,
)
from shared.ledger.records import Lease, WaitReason
from shared.process import traces
from shared.process.logs import bound_task
from shared.redis import heartbeats
from shared.redis.heartbeats import WorkerKind, WorkerState
from workers.context import Bench, Context, NativeCalls, fault_of
from workers.decode_pool import Cores, CoresOfItem
from workers.liveness import Keeper, Shutdown, Signals, StallTimer
from workers.presence.left_items import LeftItems, NotHere, NotHereAnyMore, ParkedWork

_UNSETTLED = "lost"  # until the ledger takes another outcome of this try

log = logging.getLogger(__name__)


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


class Slot:
    """Room for one Item. It costs nothing while there is none."""

    def __init__(
        self,
        bench: Bench,
        work: Work,
        stall: StallTimer,
        keeper: Keeper,
        cores: Cores,
        left: LeftItems,
        parked: ParkedWork,
        shutdown: Shutdown,
    ) -> None:
        self.native = NativeCalls()
        self.counts: Counter[str] = Counter()  # since the start; of the Item's thread alone
        self.said: Said | None = None  # None: no Item is worked on
        self._bench, self._work, self._stall = bench, work, stall
        self._keeper, self._cores = keeper, cores
        self._left, self._parked = left, parked
        self._shutdown = shutdown
        self._signals: Signals | None = None
        self._thread: threading.Thread | None = None

    @property
    def is_free(self) -> bool:
        """Whether no Item is in hand."""
        return self._signals is None

    def begin(self, lease: Lease, cores: CoresOfItem) -> None:
        """Do an Item to its end, in the slot's thread. `cores` are left when it has ended."""
        assert self.is_free, "a slot holds one Item"
        signals = self._signals = Signals()
        signals.give_back = self._shutdown.is_on  # else the handler finds the signals
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
                self._keeper.holding(lease, signals, self._stall),
            ):
                self._do(lease, signals, cores)
        finally:
            self._stall.disarm()
            self.said = self._signals = None
            self._cores.leave(cores)

    def _do(self, lease: Lease, signals: Signals, cores: CoresOfItem) -> None:
        context = Context(
            self._bench,
            lease,
            signals,
            self._stall,
            self.native,
            cores,
            say=lambda message: self._say(lease, message),
            counts=self.counts,
        )
        settle = self._run(context)
        self._stall.disarm()

        def end() -> bool:
            context.progress.send_ended_files()
            return settle is None or settle()

        with suppress(LeaseLost):
            if self._shutdown.until_redis(end) is not False:
                return
        log.warning("Item %d was taken up by another worker", lease.item_id)

    def _run(self, context: Context) -> Callable[[], bool] | None:
        """Do an Item; returns what tells the ledger how it ended, None when it may not."""
        ledger, lease = self._bench.ledger, context.lease
        started = time.monotonic()
        try:
            if not_here := self._shutdown.until_redis(lambda: self._why_not(context)):
                return self._pass_on(lease, not_here)
            self._say(lease)
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
        ledger = self._bench.ledger
        self._left.add((lease.task_id, lease.item_id), not_here)
        reason = WaitReason(*(not_here.waits_for or ("root", "")), not_here.reason)
        if not_here.waits_for is None or not_here.is_over is None:
            return lambda: ledger.handback(lease, reason)
        self._parked.note(reason, not_here.is_over)
        return lambda: self._refuse(lease, reason)

    def _refuse(self, lease: Lease, reason: WaitReason) -> bool:
        """Hand an Item back that this machine cannot do; when no machine can, it is parked."""
        bench = self._bench
        live = heartbeats.live(bench.client, bench.settings.instance, self._work.kind)
        here = socket.gethostname()
        hosts = {here, *(beat.host for beat in live)}
        return bench.ledger.refuse(lease, reason, here, sorted(hosts))

    def _say(self, lease: Lease, loading: str = "") -> None:
        """Set what the heartbeat says from now on; `loading`: that a model is, and which."""
        has_loaded = self.said and self.said.state == "loading" and not loading
        self.said = Said("loading" if loading else "working", loading, lease.task_id)
        if has_loaded:
            self._keeper.tell()


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
