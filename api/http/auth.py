"""Who may call: the licence key of a request or a socket, whether its tier is Pro, and its uses."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool

from api.async_tasks import end
from api.http.errors import (
    KeyExpired,
    KeyMissing,
    KeyRefused,
    NotFromConsole,
    ScopeMissing,
    SessionEnded,
)
from api.own_pages import BrowserSession, OwnPages
from shared.errors import Missing, RedisAway
from shared.redis.console_sessions import ConsoleSessions
from shared.redis.licence_keys import KeyRecord, Keys, KeyUses
from shared.rights import KeyScope

log = logging.getLogger(__name__)
_AWAY_KEPT_S = 2.0  # a Redis that did not answer is not asked again for so long
_WRITE_EVERY_S = 5.0


@dataclass(slots=True)
class _KeptKey:
    """A licence key as it was read last for a signed address."""

    record: KeyRecord | None = None
    read_at: float = -math.inf  # monotonic, as `away_at`
    away_at: float = -math.inf  # when Redis did not answer
    lock: threading.Lock = field(default_factory=threading.Lock)


class Access:
    """Finds the licence key of a caller: by itself, by a browser's session, by a signed address."""

    def __init__(self, keys: Keys, sessions: ConsoleSessions, pages: OwnPages) -> None:
        self.pages = pages
        self.sessions = sessions
        self._keys = keys
        self._of_addresses: dict[str, _KeptKey] = {}  # by the id of the key

    async def authorise(self, key: object, scope: KeyScope | None = None) -> KeyRecord:
        """The record of a Pro key that has the scope; blanks around it do not count.

        A BrowserSession stands for its key. Raises KeyMissing, KeyRefused, KeyExpired and
        ScopeMissing; for a session SessionEnded, NotFromConsole and ScopeMissing.
        """
        if isinstance(key, BrowserSession):
            if not key.may_be_used:
                raise NotFromConsole
            found = await run_in_threadpool(self._key_of, key)
        elif not isinstance(key, str) or not key.strip():
            raise KeyMissing
        else:
            found = _valid(await run_in_threadpool(self._keys.find, key.strip()))
        if scope:
            check_scope(found, scope)
        return found

    def key_by_id(self, key_id: str | None) -> KeyRecord | None:
        """The record of a Pro key that is valid now; None for any other."""
        with contextlib.suppress(KeyRefused, KeyExpired):
            return _valid(self._keys.by_id(key_id) if key_id else None)
        return None

    def key_of_address(self, key_id: str, kept_s: float = 0.0) -> KeyRecord:
        """Return the key with which a signed address was given. Raises Missing where it has ended.

        `kept_s`: for so many seconds a record that was read counts, though it may be revoked by
        now.
        """
        oldest = time.monotonic() - kept_s
        kept = self._of_addresses.setdefault(key_id, _KeptKey())
        if kept.read_at <= oldest:
            with kept.lock:  # one request reads; the others that wait use what it read
                if kept.read_at <= oldest:
                    self._read_again(key_id, kept)
        with contextlib.suppress(KeyRefused, KeyExpired):
            return _valid(kept.record)
        raise Missing("The licence key of this address was revoked or has expired.")

    def _read_again(self, key_id: str, kept: _KeptKey) -> None:
        now = time.monotonic()
        if now - kept.away_at < _AWAY_KEPT_S:
            raise RedisAway
        try:
            kept.record = self._keys.by_id(key_id)
        except RedisAway:
            kept.away_at = time.monotonic()
            raise
        kept.read_at = now

    def _key_of(self, session: BrowserSession) -> KeyRecord:
        found = self.key_by_id(self.sessions.key_id(session.token, is_use=session.is_use))
        if found is None:
            self.sessions.end(session.token)
            raise SessionEnded
        return found


class UseCounter:
    """`async with`: it writes every few seconds, and at the end. Of the event loop's thread."""

    def __init__(self, uses: KeyUses) -> None:
        self._uses = uses
        self._requests: Counter[str] = Counter()
        self._seen_at: dict[str, float] = {}
        self._loop: asyncio.Task[None] | None = None

    def note(self, key_id: str) -> None:
        """Count a request."""
        self._requests[key_id] += 1
        self._seen_at[key_id] = time.time()

    async def __aenter__(self) -> UseCounter:
        self._loop = asyncio.create_task(self._write_for_ever(), name="key uses")
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._loop is not None:
            await end(self._loop)
        await self._write()

    async def _write_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_WRITE_EVERY_S)
            await self._write()

    async def _write(self) -> None:
        requests, seen_at = self._requests, self._seen_at
        if not requests:
            return
        self._requests, self._seen_at = Counter(), {}
        try:
            await run_in_threadpool(self._uses.add, requests, seen_at)
        except RedisAway as error:
            log.debug("Uses of keys are told later: %s", error.message)
            self._requests.update(requests)
            self._seen_at = seen_at | self._seen_at


def _valid(found: KeyRecord | None) -> KeyRecord:
    if found is None or found.tier != "pro":
        raise KeyRefused
    if found.expires_at is not None and time.time() >= found.expires_at:
        day = time.strftime("%Y-%m-%d", time.gmtime(max(found.expires_at, 0)))
        raise KeyExpired(f"This licence key expired on {day}: ask for a new one.")
    return found


def check_scope(key: KeyRecord | None, scope: KeyScope) -> None:
    """Raise ScopeMissing unless the key has the scope."""
    if key is None or not key.has(scope):
        has = [one for one in KeyScope if key and key.has(one)]
        raise ScopeMissing(
            f"This licence key lacks the scope {scope.value!r}; it has {', '.join(has) or 'none'}."
        )
