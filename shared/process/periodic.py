"""A thread that does the same again and again, such as looking whether something has changed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from shared.errors import RedisAway

log = logging.getLogger(__name__)


class Periodic:
    """Calls `act` every `every_s` seconds from `start` to `end`, in a daemon thread.

    `act` may return another number of seconds until its next call. An error that it raises is
    logged, and the next call comes as usual: RedisAway at DEBUG, as that passes by itself.
    """

    def __init__(
        self,
        name: str,
        act: Callable[[], float | None],
        every_s: float,
        *,
        begins_at_once: bool = True,
    ) -> None:
        self._name = name
        self._act = act
        self._every_s = every_s
        self._begins_at_once = begins_at_once
        self._is_ended = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Have the next call at once."""
        self._wake.set()

    def end(self, wait_s: float | None = None) -> None:
        """Make no further call, and wait for one that runs; None: however long that takes."""
        self._is_ended = True
        self._wake.set()
        if wait_s != 0 and self._thread.is_alive():
            self._thread.join(wait_s)

    def _run(self) -> None:
        if not self._begins_at_once:
            self._pause(self._every_s)
        while not self._is_ended:
            pause_s: float | None = None
            try:
                pause_s = self._act()
            except RedisAway as error:
                log.debug("%s: Redis is away, goes on: %s", self._name, error)
            except Exception:
                # Nothing else does what this thread is there for.
                log.exception("%s: an error of ours, goes on", self._name)
            self._pause(self._every_s if pause_s is None else pause_s)

    def _pause(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()  # after the waiting: a call that wakes it in the middle of `act` counts
