"""An outage of Redis in the log: one warning when it begins and one when it is over."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)


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
