"""Whether this process is the active watcher: it holds the lease, or stands by for it."""

from __future__ import annotations

import secrets
import time

from shared.process.process_mark import has_ended, own_mark
from shared.watch.lease import LEASE_S, SoleLease

_RENEW_EVERY_S = 2.0
_KEEP_EVERY_S = 1.0


class LeadershipLost(Exception):
    """This is not the active watcher any more."""


class Leadership:
    """The lease, as the main thread holds or wants it. Every method raises RedisAway."""

    def __init__(self, lease: SoleLease) -> None:
        self._lease = lease
        self._redis_run = ""
        self._renewed_at = 0.0
        self._kept_at = 0.0  # apart: what `renew` asks of Redis is not put off by `keep`
        self.token: str | None = None  # None: another one leads, or nobody

    def campaign(self) -> str | None:
        """Try to become the active watcher; the token if it is won."""
        token = f"{own_mark()}/{secrets.token_hex(16)}"
        if (holder := self._lease.holder()) and has_ended(holder.rpartition("/")[0]):
            self._lease.release(holder)
        self._redis_run = self._lease.redis_run()
        self.token = token if self._lease.acquire(token) else None
        self._renewed_at = time.monotonic()
        return self.token

    def renew(self) -> None:
        """Renew the lease when that is due. Raises LeadershipLost."""
        asked_at = time.monotonic()
        if asked_at - self._renewed_at <= _RENEW_EVERY_S:
            return
        token = self._prolong("the lease ran out, or Redis has lost what it held")
        if self._lease.redis_run() != self._redis_run:  # what is in it decides, not our memory
            self._lease.release(token)
            raise LeadershipLost("Redis was started anew, and may have lost what was written last")
        self._renewed_at = asked_at

    def keep(self) -> None:
        """Keep the lease while much is read: call it often. Raises LeadershipLost."""
        if time.monotonic() - self._kept_at < _KEEP_EVERY_S:
            return
        self._prolong("the lease ran out while the files were read")
        self._kept_at = time.monotonic()

    def has_expired(self) -> bool:
        """Whether another one may lead by now: the lease could not be renewed for its length."""
        return self.token is not None and time.monotonic() - self._renewed_at > LEASE_S

    def step_down(self) -> str | None:
        """Lead no more, without a word to Redis; the token that was ours."""
        token, self.token = self.token, None
        return token

    def _prolong(self, if_lost: str) -> str:
        """Hold the lease for its whole length from now on; its token. Raises LeadershipLost."""
        assert self.token, "only the leader has a lease"
        if not self._lease.renew(self.token):
            raise LeadershipLost(if_lost)
        return self.token
