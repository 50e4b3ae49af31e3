"""Items that this machine leaves to others for a while, each with the reason."""

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

from shared.errors import HandBack
from shared.ledger.records import Lease, WaitCode
from shared.paths import Roots
from shared.redis import heartbeats
from shared.redis.clients import key_prefix
from shared.redis.heartbeats import WorkerKind

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
