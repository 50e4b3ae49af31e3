"""Parked Tasks: they are queued again as soon as this machine has what they wait for."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable

from shared.domain import ModelKind
from shared.errors import ModelError, RedisAway
from shared.ledger.ledger import Ledger
from shared.ledger.records import WaitReason
from shared.models.model_catalogue import is_downloaded, resolve
from shared.process.periodic import Periodic
from shared.settings import Settings

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
TRY_EVERY_S = 60.0  # what a look does not show to be over


class ParkedWork:
    """Looks after what is parked in a worker's queues, whatever the worker does meanwhile.

    Each reason is looked into in a thread of its own: a share that hangs holds up no other.
    """

    def __init__(self, ledger: Ledger, settings: Settings, *queues: str) -> None:
        self._thread = Periodic("parked", self._look, LOOK_EVERY_S)
        self._ledger = ledger
        self._settings = settings
        self._queues = queues
        self._host = socket.gethostname()
        self._known: dict[tuple[str, str], Callable[[], bool]] = {}
        self._busy: set[WaitReason] = set()
        self._tried: dict[tuple[str, str], float] = {}

    def note(self, reason: WaitReason, is_over: Callable[[], bool]) -> None:
        """Remember how to tell that a reason is over, which this worker has met itself."""
        self._known[reason.code, reason.key] = is_over

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._thread.end(wait_s=0)

    def _look(self) -> None:
        self.look()

    def look(self) -> list[threading.Thread]:
        """Look into every reason once, each in a thread, which are returned. Raises RedisAway."""
        looks: list[threading.Thread] = []
        tasks: dict[WaitReason, list[str]] = {}
        for task_id, reasons in self._ledger.parked().items():
            ours = [reason for reason in reasons if reason.queue in self._queues]
            # What keeps another machine from it is not for this one to judge.
            for reason in [r for r in ours if r.host == self._host] or ours[:1]:
                tasks.setdefault(reason, []).append(task_id)
        for reason, waiting in tasks.items():
            if reason not in self._busy:
                self._busy.add(reason)
                looks.append(
                    threading.Thread(target=self._try, args=(reason, waiting), daemon=True)
                )
                looks[-1].start()
        return looks

    def _try(self, reason: WaitReason, tasks: list[str]) -> None:
        try:
            if self._is_over(reason):
                for task_id in tasks:
                    log.info("Task %s goes on: it waited as %s", task_id, reason.message)
                    self._ledger.unpark(task_id)
        except RedisAway as error:
            log.debug("Parked tasks are looked at again later: %s", error)
        except Exception:
            # Of whatever a library raises over one reason, the next look asks anew.
            log.exception("Whether a task may go on could not be found out: %s", reason.message)
        finally:
            self._busy.discard(reason)

    def _is_over(self, reason: WaitReason) -> bool:
        """By what this worker has met itself; else, and now and then in any case, by a try."""
        if reason.code == "worker":
            return True  # this is one
        key = reason.code, reason.key
        is_over = self._known.get(key)
        if reason.host == self._host and is_over is not None and is_over():
            return True
        now = time.monotonic()
        if now - self._tried.get(key, -TRY_EVERY_S) < TRY_EVERY_S or not self._may_be_over(reason):
            return False
        self._tried[key] = now
        return True

    def _may_be_over(self, reason: WaitReason) -> bool:
        """Whether nothing simple speaks against a try, which shows more."""
        if reason.code == "model" and reason.host == self._host:
            kind, _, model = reason.key.partition(":")
            try:
                return is_downloaded(
                    self._settings, resolve(self._settings, ModelKind(kind), model)
                )
            except ModelError:
                return True  # nobody knows it any more: its files fail with that sentence
        if reason.code == "root" and reason.host == self._host:
            return os.path.isdir(reason.key)
        return True  # it was never tried on this machine
