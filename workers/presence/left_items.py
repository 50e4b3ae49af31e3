"""Items that this machine leaves to others for a while, and Tasks that wait for what it lacks."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import redis

from shared.domain import ModelKind
from shared.errors import HandBack, ModelError, RedisAway
from shared.ledger.ledger import Ledger
from shared.ledger.records import Lease, WaitCode, WaitReason
from shared.models.model_catalogue import is_downloaded, resolve
from shared.paths import Roots
from shared.process.periodic import Periodic
from shared.redis import heartbeats
from shared.redis.clients import key_prefix
from shared.redis.heartbeats import WorkerKind
from shared.settings import Settings

_ASK_OTHERS_WAIT_S = 2.0
_REMEMBER_S = 3600

NOT_READY_WAIT_S = 30.0

log = logging.getLogger(__name__)

ItemKey = tuple[str, int]  # task_id, item_id

_LOOK_EVERY_S = 1.0  # at what an Item waits for; thousands may wait for one disk


class LeftItems:
    """The Items that were left; when a reason is over, all that wait for it may be done.

    Threads may share it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._items: dict[ItemKey, tuple[float, NotHere]] = {}  # until when, and why
        self._next_look: dict[str, float] = {}  # by reason

    def add(self, item: ItemKey, not_here: NotHere) -> None:
        """Leave an Item; a reason that is new is logged."""
        now = self._clock()
        with self._lock:
            self._items = {key: left for key, left in self._items.items() if left[0] > now}
            reasons = {left.reason for _, left in self._items.values()}
            self._next_look = {r: at for r, at in self._next_look.items() if r in reasons}
            self._items[item] = now + not_here.wait_s, not_here
            self._next_look[not_here.reason] = now + _LOOK_EVERY_S
        if not_here.reason not in reasons:
            log.warning("Item %d cannot be done here: %s", item[1], not_here.reason)

    def holds(self, item: ItemKey) -> bool:
        """Whether the Item is still left to others. Looks at what it waits for, now and then."""
        now = self._clock()
        with self._lock:
            until, not_here = self._items.get(item, (0.0, None))
            if not_here is None or until <= now:
                return False
            if not_here.is_over is None or now < self._next_look[not_here.reason]:
                return True
            self._next_look[not_here.reason] = now + _LOOK_EVERY_S
        if not not_here.is_over():  # it may ask a share, which may hang
            return True
        self._let_go(not_here.reason)
        return False

    @property
    def reason(self) -> str:
        """Why an Item is left; "" where none is."""
        now = self._clock()
        with self._lock:
            return next((left.reason for until, left in self._items.values() if until > now), "")

    def _let_go(self, reason: str) -> None:
        with self._lock:
            self._next_look.pop(reason, None)
            self._items = {k: left for k, left in self._items.items() if left[1].reason != reason}


@dataclass(frozen=True, slots=True)
class NotHere:
    """Why an Item is left to others for a while."""

    reason: str
    wait_s: float = NOT_READY_WAIT_S  # how long its jobs are left to others
    is_over: Callable[[], bool] | None = None  # looked at meanwhile: then the waiting ends at once
    # What it waits for, where nobody can tell for how long: then it is parked.
    waits_for: tuple[WaitCode, str] | None = None


class NotHereAnyMore(HandBack):
    """What the Item needs went away in the middle of it: unwind, as for a HandBack."""

    def __init__(self, not_here: NotHere) -> None:
        super().__init__(not_here.reason)
        self.not_here = not_here


def unseen_root(roots: Roots, paths: Iterable[str]) -> NotHere | None:
    """NotHere for a configured root of the paths that is not there: an absent mount."""
    for path in paths:
        for root in roots.folders or ():
            if os.path.commonpath([path, root]) == str(root) and not os.path.isdir(root):
                reason = f"{root} is not visible on this machine."
                is_over = partial(os.path.isdir, root)
                return NotHere(reason, is_over=is_over, waits_for=("root", str(root)))
    return None


def may_be_elsewhere(
    client: redis.Redis, instance: str, kind: WorkerKind, lease: Lease, paths: Iterable[str]
) -> NotHere | None:
    """NotHere where a path may be on another machine; None where every live worker misses it."""
    absent = [path for path in paths if not os.path.exists(path)]
    if not absent:
        return None
    here = socket.gethostname()
    hosts = {beat.host for beat in heartbeats.live(client, instance, kind)}
    if not hosts - {here}:
        return None
    key = f"{key_prefix(instance)}missing:{lease.task_id}:{lease.item_id}"
    with client.pipeline() as pipe:
        pipe.sadd(key, here)
        pipe.expire(key, _REMEMBER_S)
        pipe.smembers(key)
        said = pipe.execute()[-1]
    if hosts <= said:
        return None
    return NotHere(f"{absent[0]} is not visible on this machine.", _ASK_OTHERS_WAIT_S)


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
