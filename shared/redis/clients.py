"""The one factory of Redis clients: explicit timeouts, no hidden retries, foreign errors named."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Iterator
from typing import Any

import redis
import redis.asyncio
from redis import Redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.exceptions import ConnectionError, NoScriptError, RedisError, TimeoutError, WatchError
from redis.retry import Retry

from shared.errors import RedisAway

log = logging.getLogger(__name__)

SOCKET_TIMEOUT_S = 1.5  # Redis away must be a 503 within 2 s
_MAX_CONNECTIONS = 256
# By the code in the error, which Redis may wrap into that of a script.
_REFUSALS = {
    "OOM ": "its memory is full. Raise its maxmemory",
    "MISCONF": "it cannot write to its disk (MISCONF). Make room there",
    "READONLY": "it is a replica that cannot be written. Name its master in RUSHES_REDIS_URL",
    "NOPERM": "the user of RUSHES_REDIS_URL may not run it (NOPERM). Allow that user all commands",
}
_REFUSAL = "the server's log has the reason. `rushes doctor` checks Redis"


def key_prefix(instance: str) -> str:
    """Prefix of every Redis key of an instance, `rushes:<instance>:`."""
    return f"rushes:{instance}:"


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn redis-py's errors into RedisAway, with the cause kept."""
    try:
        yield
    except (NoScriptError, WatchError):
        raise  # redis-py's own business: it sends the script, or begins again
    except (ConnectionError, TimeoutError, OSError) as error:
        raise RedisAway(f"Redis does not answer ({error}). Nothing was accepted.") from error
    except RedisError as error:
        log.info("Redis refused a command: %s", error)
        why = next((why for code, why in _REFUSALS.items() if code in str(error)), _REFUSAL)
        raise RedisAway(f"Redis refused a command: {why}. Nothing was accepted.") from error


class Client(Redis):
    """Redis for our code: what redis-py raises is RedisAway, with its error as the cause."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        with translated():
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        pool, callbacks = self.connection_pool, self.response_callbacks
        return _Pipeline(pool, callbacks, transaction, shard_hint)


class _Pipeline(Pipeline):
    """Translates the errors of `execute`; those of commands after WATCH stay redis-py's own."""

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        with translated():
            return super().execute(raise_on_error)


def connect(
    url: str, *, decode: bool = True, protocol: int | None = None, kind: type[Redis] = Client
) -> redis.Redis:
    """Redis client for short commands. Never retries: a script that may arrive twice says so.

    `kind`: Redis for a caller that tells the errors of redis-py apart.
    """
    return kind.from_url(
        url,
        decode_responses=decode,
        encoding_errors="replace",  # what something else wrote must not break a whole list
        socket_timeout=SOCKET_TIMEOUT_S,
        socket_connect_timeout=SOCKET_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        max_connections=_MAX_CONNECTIONS,
        protocol=protocol,
    )


def connect_blocking(
    url: str, *, block_s: float, decode: bool = True, kind: type[Redis] = Client
) -> redis.Redis:
    """Redis client for blocking pops of up to `block_s`: socket timeout block + 5 s, no retry."""
    return kind.from_url(
        url,
        decode_responses=decode,
        socket_timeout=block_s + 5,
        socket_connect_timeout=SOCKET_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


def connect_async(
    url: str, *, socket_timeout_s: float | None = SOCKET_TIMEOUT_S
) -> redis.asyncio.Redis:
    """asyncio Redis client, for subscriptions and blocking pops in the API process."""
    return redis.asyncio.Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=socket_timeout_s,
        socket_connect_timeout=SOCKET_TIMEOUT_S,
        retry=redis.asyncio.retry.Retry(NoBackoff(), 0),
    )


_USABLE = 0.8  # of maxmemory; the rest is for what is not counted, and for searches


def room(client: Redis) -> float:
    """Bytes until Redis is nearly full, below 0 where it is; infinite without a maxmemory."""
    memory = client.info("memory")
    most: int = memory.get("maxmemory", 0)
    return _USABLE * most - memory["used_memory"] if most else math.inf
