"""The end of a worker process, and waiting that heeds it: for a moment, or for Redis."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from shared.errors import RedisAway


class RedisOutage:
    """Logs an outage of Redis once, however often it is met."""

    def __init__(self) -> None:
        self._is_on = False

    def begin(self, why: object) -> None:
        """Note that Redis does not answer; a warning the first time only."""
        if not self._is_on:
            self._is_on = True
            log.warning("Redis is away, trying again: %s", why)

    def end(self) -> None:
        if self._is_on:
            self._is_on = False
            log.warning("Redis answers again")


log = logging.getLogger(__name__)

T = TypeVar("T")

NAP_STEP_S = 0.2
LONGEST_PAUSE_S = 2.0
_LAST_WORDS_S = 5.0  # how long a worker that is shutting down waits for Redis to take its outcome


class Shutdown:
    """Whether the process is to end. All its threads share it; a signal handler sets it."""

    def __init__(self) -> None:
        self.is_on = False

    def nap(self, seconds: float) -> None:
        """Pause, but not past a shutdown."""
        until = time.monotonic() + seconds
        while not self.is_on and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, NAP_STEP_S))

    def until_redis(self, action: Callable[[], T]) -> T | None:
        """Repeat an action until Redis takes it; gives up only while shutting down."""
        pause_s = NAP_STEP_S
        gives_up_at: float | None = None
        while True:
            try:
                return action()
            except RedisAway as error:
                if self.is_on:
                    gives_up_at = gives_up_at or time.monotonic() + _LAST_WORDS_S
                    if time.monotonic() > gives_up_at:
                        log.warning("Redis did not come back in time: %s", error)
                        return None
                time.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
