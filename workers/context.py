"""What the work on one Item may use: the ledger's side of it, models, and `checkpoint`.

Progress is worth losing and a finished file is not: ticks wait here while Redis is away.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import redis

from shared.cache import CacheDir
from shared.domain import ProgressType, TaskState
from shared.errors import LeaseLost, RedisAway
from shared.media import HashCache
from shared.models import ModelKind
from shared.settings import Settings
from shared.tasks import Lease, Ledger
from workers.liveness import Signals, StallTimer
from workers.models.pool import ModelPool
from workers.models.protocols import VisualEmbedder

PROGRESS_EVERY_S = 0.3


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
    say: Callable[[str], None] = lambda _message: None
    counts: Counter[str] = field(default_factory=Counter)  # of the process; its heartbeat tells
    _reported_at: float = float("-inf")
    _ticks: list[Callable[[], bool]] = field(default_factory=list)

    @property
    def draft_token(self) -> str:
        """Makes temporary names unique to this try of this Item."""
        return f"{self.lease.task_id[:8]}.{self.lease.item_id}.{self.lease.token}"

    def checkpoint(self) -> None:
        """Between frames and batches: the work advances, and ends here when it must.

        Raises Cancelled, LeaseLost or HandBack, which no frame loop may catch.
        """
        self.stall.arm()
        self.signals.raise_if_set()

    def cache(self, path: str) -> CacheDir:
        """The CacheDir of this Item, made when it is not there yet."""
        return CacheDir.open(path, create=True)

    @contextmanager
    def visual_model(self, key: str) -> Iterator[VisualEmbedder]:
        """The warm visual model, lent for the block; says so when it has to be loaded first."""
        message = f"Loading the model {key}."
        with ExitStack() as lent:
            with self.stall.wide():
                if not self._is_warm(key):
                    self.say(message)
                    self.report(ProgressType.VIDEO, 0.0, "", message, loading=True)
                model = lent.enter_context(self.pool.lend(ModelKind.VISUAL, key))
            self.say("")
            yield model

    def _is_warm(self, key: str) -> bool:
        return any(state.model_key == key and state.is_loaded for state in self.pool.states())

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
        now = time.monotonic()
        if not loading and now - self._reported_at < PROGRESS_EVERY_S:
            return
        self._reported_at = now
        status = TaskState.LOADING_MODEL if loading else TaskState.RUNNING
        try:
            self.ledger.progress(
                self.lease,
                type=kind,
                fraction=files_done,
                media_path=media_path,
                message=message,
                status=status,
            )
        except RedisAway:
            return

    def tick(self, kind: ProgressType, index: int, media_path: str, error: str | None) -> None:
        """One file has ended, well or not. Kept until Redis takes it."""
        self._ticks.append(
            lambda: self.ledger.tick(
                self.lease,
                type=kind,
                index=index,
                media_path=media_path,
                error=error,
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
