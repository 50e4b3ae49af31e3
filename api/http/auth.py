"""Who may call: the licence key of a request or a socket, and whether its tier is Pro."""

from __future__ import annotations

import time

from starlette.concurrency import run_in_threadpool

from api.http.errors import KeyExpired, KeyMissing, KeyRefused, ScopeMissing
from api.services import Services
from shared.redis.licence_keys import KeyRecord
from shared.rights import KeyScope


async def authorise(services: Services, key: object, scope: KeyScope | None = None) -> KeyRecord:
    """The record of a Pro key that has the scope; blanks around it do not count.

    Raises KeyMissing, KeyRefused, KeyExpired and ScopeMissing.
    """
    if not isinstance(key, str) or not key.strip():
        raise KeyMissing
    found = await run_in_threadpool(services.keys.find, key.strip())
    if found is None or found.tier != "pro":
        raise KeyRefused
    if found.expires_at is not None and time.time() >= found.expires_at:
        day = time.strftime("%Y-%m-%d", time.gmtime(found.expires_at))
        raise KeyExpired(f"This licence key expired on {day}: ask for a new one.")
    if scope:
        check_scope(found, scope)
    return found


def check_scope(key: KeyRecord | None, scope: KeyScope) -> None:
    """Raise ScopeMissing unless the key has the scope."""
    if key is None or not key.has(scope):
        has = [one for one in KeyScope if key and key.has(one)]
        raise ScopeMissing(
            f"This licence key lacks the scope {scope.value!r}; it has {', '.join(has) or 'none'}."
        )
