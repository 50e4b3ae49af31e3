"""Parked Tasks: they are queued again as soon as this machine has what they wait for."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

from shared.domain import ModelKind
from shared.errors import ModelError, RushesError
from shared.ledger.ledger import Ledger
from shared.ledger.records import WaitReason
from shared.models.model_catalogue import is_downloaded, resolve
from shared.redis.heartbeats import WorkerKind
from shared.settings import Settings

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0


class ParkedWork(threading.Thread):
    """Looks after what is parked in a worker's queue, whatever the worker does meanwhile.

    Each reason is looked into in a thread of its own: a share that hangs holds up no other.
    """

    def __init__(self, ledger: Ledger, settings: Settings, queue: WorkerKind) -> None:
        super().__init__(name="parked", daemon=True)
        self._ledger = ledger
        self._settings = settings
        self._queue = queue
        self._known: dict[tuple[str, str], Callable[[], bool]] = {}
        self._busy: set[tuple[str, str]] = set()

    def note(self, reason: WaitReason, is_over: Callable[[], bool]) -> None:
        """Remember how to tell that a reason is over, which this worker has met itself."""
        self._known[reason.code, reason.key] = is_over

    def run(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self.look()
            except RushesError as error:
                log.debug("Parked tasks are looked at again later: %s", error)
            pause.wait(LOOK_EVERY_S)

    def look(self) -> None:
        """Look into every reason once. Raises RedisAway."""
        tasks: dict[WaitReason, list[str]] = {}
        for task_id, reasons in self._ledger.parked().items():
            for reason in reasons:
                if reason.queue == self._queue:
                    tasks.setdefault(reason, []).append(task_id)
        for reason, waiting in tasks.items():
            key = reason.code, reason.key
            if key not in self._busy:
                self._busy.add(key)
                threading.Thread(target=self._try, args=(reason, waiting), daemon=True).start()

    def _try(self, reason: WaitReason, tasks: list[str]) -> None:
        key = reason.code, reason.key
        try:
            is_over = self._known.get(key)
            if is_over() if is_over else self._may_be_over(reason):
                for task_id in tasks:
                    log.info("Task %s goes on: it waited as %s", task_id, reason.message)
                    self._ledger.unpark(task_id)
        except RushesError as error:
            log.debug("Parked tasks are looked at again later: %s", error)
        finally:
            self._busy.discard(key)

    def _may_be_over(self, reason: WaitReason) -> bool:
        """Whether a reason that other workers have met does not hold here; trying shows more."""
        if reason.code == "model":
            kind, _, model = reason.key.partition(":")
            try:
                spec = resolve(self._settings, ModelKind(kind), model)
            except ModelError:
                return False
            return is_downloaded(self._settings, spec)
        if reason.code == "root":
            try:
                return bool(os.listdir(reason.key))
            except OSError:
                return False
        return True  # it waited for a worker, and this is one
