"""An outage of Redis in the log: one warning when it begins and one when it is over."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)

_RQ_SAYS = "could not connect to Redis"


class RedisOutage(logging.Filter):
    """Logs an outage of Redis; as a filter of RQ's log it replaces RQ's errors, one every 2 s."""

    def __init__(self) -> None:
        super().__init__()
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

    def filter(self, record: logging.LogRecord) -> bool:
        if _RQ_SAYS not in str(record.msg):
            return True
        self.begin(record.args[1] if isinstance(record.args, tuple) else record.getMessage())
        return False
