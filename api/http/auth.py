"""Who may call: the licence key of a request or a socket, and whether its tier is Pro."""

from __future__ import annotations

import contextlib
import time

from starlette.concurrency import run_in_threadpool

from api.http.errors import (
    KeyExpired,
    KeyMissing,
    KeyRefused,
    NotFromConsole,
    ScopeMissing,
    SessionEnded,
)
from api.own_pages import BrowserSession
from api.services import KeptKey, Services
from shared.errors import Missing, RedisAway
from shared.redis.licence_keys import KeyRecord
from shared.rights import KeyScope

_AWAY_KEPT_S = 2.0  # a Redis that did not answer is not asked again for so long


async def authorise(services: Services, key: object, scope: KeyScope | None = None) -> KeyRecord:
    """The record of a Pro key that has the scope; blanks around it do not count.

    A BrowserSession stands for its key. Raises KeyMissing, KeyRefused, KeyExpired and ScopeMissing;
    for a session SessionEnded, NotFromConsole and ScopeMissing.
    """
    if isinstance(key, BrowserSession):
        if not key.may_be_used:
            raise NotFromConsole
        found = await run_in_threadpool(_key_of, services, key)
    elif not isinstance(key, str) or not key.strip():
        raise KeyMissing
    else:
        found = _valid(await run_in_threadpool(services.keys.find, key.strip()))
    if scope:
        check_scope(found, scope)
    return found


def key_by_id(services: Services, key_id: str | None) -> KeyRecord | None:
    """The record of a Pro key that is valid now; None for any other."""
    with contextlib.suppress(KeyRefused, KeyExpired):
        return _valid(services.keys.by_id(key_id) if key_id else None)
    return None


def key_of_address(services: Services, key_id: str, kept_s: float = 0.0) -> KeyRecord:
    """Return the key with which a signed address was given. Raises Missing where it has ended.

    `kept_s`: for so many seconds a record that was read counts, though it may be revoked by now.
    """
    oldest = time.monotonic() - kept_s
    kept = services.keys_of_addresses.setdefault(key_id, KeptKey())
    if kept.read_at <= oldest:
        with kept.lock:  # one request reads; the others that wait use what it read
            if kept.read_at <= oldest:
                _read_again(services, key_id, kept)
    with contextlib.suppress(KeyRefused, KeyExpired):
        return _valid(kept.record)
    raise Missing("The licence key of this address was revoked or has expired.")


def _read_again(services: Services, key_id: str, kept: KeptKey) -> None:
    now = time.monotonic()
    if now - kept.away_at < _AWAY_KEPT_S:
        raise RedisAway
    try:
        kept.record = services.keys.by_id(key_id)
    except RedisAway:
        kept.away_at = time.monotonic()
        raise
    kept.read_at = now


def _key_of(services: Services, session: BrowserSession) -> KeyRecord:
    found = key_by_id(
        services, services.console_sessions.key_id(session.token, is_use=session.is_use)
    )
    if found is None:
        services.console_sessions.end(session.token)
        raise SessionEnded
    return found


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
