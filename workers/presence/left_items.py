"""Items that this machine leaves to others for a while, each with the reason."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from workers.presence.not_here import NotHere

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
