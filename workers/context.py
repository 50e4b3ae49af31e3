"""What the work on one Item may use: the ledger's side of it, models, and `checkpoint`.

Progress is worth losing and a finished file is not: ticks wait here while Redis is away.
"""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import redis
from opentelemetry.trace import get_current_span

from shared.cache.cache_dir import CacheDir
from shared.domain import Fault, ProgressType, TaskState
from shared.errors import CacheError, LeaseLost, RedisAway, RushesError
from shared.ledger.ledger import Lease, Ledger
from shared.media import HashCache
from shared.models.specs import ModelKind
from shared.settings import Settings
from workers.faults import fault_of
from workers.liveness import Signals, StallTimer
from workers.models.pool import ModelPool
from workers.models.protocols import FaceFinder, Transcriber, VisualEmbedder
from workers.native_calls import NativeCalls

T = TypeVar("T")

PROGRESS_EVERY_S = 0.3
_AWAY_PAUSE_S = 5.0  # a report to a Redis that is away takes up to 3 s, in which the work stands
_ASK_AGAIN_S = 0.2


@dataclass
class Context:
    """Handed to the code that does an Item; made anew for each."""

    settings: Settings
    client: redis.Redis
    ledger: Ledger
    lease: Lease
    signals: Signals
    stall: StallTimer
    pool: ModelPool
    hashes: HashCache
    worker: str
    native: NativeCalls
    say: Callable[[str], None] = lambda _message: None
    counts: Counter[str] = field(default_factory=Counter)  # of the process; its heartbeat tells
    result: bytes = b""  # JSON that the ledger keeps when the Item is done
    reason: str = ""  # why, where the Item is done and none of its files could be used
    _reported_at: float = float("-inf")
    # The newest report of each kind, until its time has come.
    _unsent: dict[ProgressType, Callable[[], object]] = field(default_factory=dict)
    _ticks: list[Callable[[], bool]] = field(default_factory=list)
    _worked: dict[ProgressType, float] = field(default_factory=dict)  # seconds of the Item

    @property
    def draft_token(self) -> str:
        """Makes temporary names unique to this try of this Item."""
        return f"{self.lease.task_id[:8]}.{self.lease.item_id}.{self.lease.token}"

    def others_will_follow(self) -> bool:
        """Whether Items of the Task wait that a worker has yet to begin."""
        try:
            return self.ledger.queued_items(self.lease.task_id) > 0
        except RedisAway:
            return False

    def checkpoint(self) -> None:
        """Between frames and batches: the work advances, and ends here when it must.

        Raises Cancelled, LeaseLost or HandBack, which no frame loop may catch.
        """
        self.stall.arm()
        self.signals.raise_if_set()

    def confirm(self) -> None:
        """Right before something is published that a second worker would publish once more.

        `checkpoint` knows what the keeper heard last, which after a sleep of this process may be
        long ago; this asks the ledger itself, and waits for a Redis that is away. Raises as
        `checkpoint` does.
        """
        while True:
            self.checkpoint()
            try:
                verdict = self.ledger.renew(self.lease)
            except RedisAway:
                time.sleep(_ASK_AGAIN_S)
                continue
            self.signals.lost |= verdict == "lost"
            self.signals.stop |= verdict == "stop"
            self.signals.give_back |= verdict == "yield"
            self.signals.raise_if_set()
            return

    def cache(self, path: str, known_id: str = "") -> CacheDir:
        """The CacheDir of this Item, made when it is not there yet.

        With `known_id` no other one will do: an absent mount leaves an empty folder. Raises
        CacheError.
        """
        if known_id and not CacheDir.is_known(path, known_id):
            raise CacheError(
                f"The cache folder {path} is gone, or another one lies there. Is its disk mounted?"
            )
        return CacheDir.open(path, create=True)

    def call(self, function: Callable[[], T]) -> T:
        """One native call that may take minutes without a checkpoint. Raises as `checkpoint` does.

        At a stop the call is left alone: it runs out in its own thread and its result is lost.
        """

        def waiting() -> None:
            self.signals.raise_if_set()
            self._send_report()

        with self.stall.wide():
            return self.native.call(function, waiting)

    @contextmanager
    def visual_model(self, key: str) -> Iterator[VisualEmbedder]:
        """The warm visual model, lent for the block; says so when it has to be loaded first."""
        with ExitStack() as lent:
            with self.stall.wide():
                self._say_if_cold(ModelKind.VISUAL, key, ProgressType.VIDEO)
                model = lent.enter_context(self.pool.lend(ModelKind.VISUAL, key))
            self.say("")
            yield model

    @contextmanager
    def face_model(self, key: str) -> Iterator[FaceFinder]:
        """The same for faces."""
        with ExitStack() as lent:
            with self.stall.wide():
                self._say_if_cold(ModelKind.FACES, key, ProgressType.FACES)
                model = lent.enter_context(self.pool.lend(ModelKind.FACES, key))
            self.say("")
            yield model

    @contextmanager
    def speech_model(self, key: str) -> Iterator[Transcriber]:
        """The same for speech. Use it through `call` alone.

        It goes back when the last call has ended, which may be after a stop has ended the block.
        """
        lent = ExitStack()
        try:
            self._say_if_cold(ModelKind.SPEECH, key, ProgressType.AUDIO)
            lend = self.pool.lend(ModelKind.SPEECH, key)
            model = self.call(lambda: lent.enter_context(lend))
            self.say("")
            yield model
        finally:
            self.native.afterwards(lent.close)

    def _say_if_cold(self, kind: ModelKind, key: str, progress: ProgressType) -> None:
        states = self.pool.states()
        if any((s.kind, s.model_key) == (kind, key) and s.is_loaded for s in states):
            return
        message = f"Loading the model {key}."
        self.say(message)
        self.report(progress, 0.0, "", message, loading=True)

    def report(
        self,
        kind: ProgressType,
        files_done: float,
        media_path: str,
        message: str = "",
        *,
        loading: bool = False,
    ) -> None:
        """Progress within the Item, in files. Throttled; dropped while Redis is away."""
        status = TaskState.LOADING_MODEL if loading else TaskState.RUNNING
        self._unsent[kind] = lambda: self.ledger.progress(
            self.lease,
            type=kind,
            fraction=files_done,
            media_path=media_path,
            message=message,
            status=status,
        )
        self._send_report(at_once=loading)

    def worked(self, kind: ProgressType, seconds: float) -> None:
        """`kind` was made of so many seconds of the Item's footage so far; told with reports."""
        self._worked[kind] = seconds

    def _tell_worked(self, kind: ProgressType) -> bool:
        seconds = self._worked.get(kind)
        return seconds is None or self.ledger.worked(self.lease, kind, seconds)

    def _send_report(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if not self._unsent or not (at_once or now - self._reported_at >= PROGRESS_EVERY_S):
            return
        unsent, self._unsent = self._unsent, {}
        self._reported_at = now
        try:
            for kind, send in unsent.items():
                self._tell_worked(kind)
                send()
        except RedisAway:
            self._reported_at = time.monotonic() + _AWAY_PAUSE_S

    def tick(
        self,
        kind: ProgressType,
        index: int,
        media_path: str,
        error: RushesError | None = None,
        *,
        skipped: bool = False,
    ) -> None:
        """One file has ended, well or by `error`. Kept until Redis takes it.

        `skipped`: what was wanted of it had been made before.
        """
        if error:
            get_current_span().record_exception(
                error, {"rushes.type": kind, "rushes.path": media_path}
            )
        self._unsent.pop(kind, None)
        self._ticks.append(functools.partial(self._tell_worked, kind))
        self._ticks.append(
            functools.partial(
                self.ledger.tick,
                self.lease,
                type=kind,
                index=index,
                media_path=media_path,
                error=error.message if error else None,
                fault=fault_of(error) if error else Fault.FILE,
                skipped=skipped,
            )
        )
        try:
            self.send_ticks()
        except RedisAway:
            return

    def send_ticks(self) -> None:
        """Send what is waiting, in order. Raises RedisAway and LeaseLost."""
        while self._ticks:
            if not self._ticks[0]():
                raise LeaseLost
            self._ticks.pop(0)
