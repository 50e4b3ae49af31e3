"""Checks of the Redis that Rushes works on: new enough, and it keeps what it is given."""

from __future__ import annotations

import contextlib
import logging
import re
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

import redis
from redis.exceptions import NoPermissionError

from cli.checks.finding import Finding, fine, problem, refuse_problems, warning
from cli.processes import redis_binary
from cli.processes.redis_binary import OLDEST
from shared.errors import RedisAway
from shared.redis.clients import connect

log = logging.getLogger(__name__)

WAIT_S = 20.0
_POLL_S = 0.5
_MAY_DIFFER_S = 2.0
_SUBJECT = "Redis"
_NO_PERMISSION = "Error 13 connecting"  # redis-py keeps no errno
_TLS = re.compile(r"\[SSL[:\]]|certificate")
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
_NO_FILE = "No such file"
_KEEP = "set `appendonly yes` in its configuration"


class Away(Exception):
    """Redis does not answer or accepts nothing, or not yet: an outage, no wrong setting."""


def check_redis(url: str | None) -> None:
    """Wait up to 20 s for Redis at start, then look. Raises SettingsError for a wrong one.

    One that is still away is left to the process, which waits for it as in any outage. Without a
    URL there must be a redis-server that can be started.
    """
    if url is None:
        redis_binary.find()
        return
    deadline = time.monotonic() + WAIT_S
    is_said = False
    while True:
        try:
            for finding in refuse_problems(examine(url)):
                log.warning("%s", finding.sentence)
        except Away as error:
            if not is_said:
                log.warning("Redis is away, waiting for it: %s", error)
                is_said = True
            if time.monotonic() > deadline:
                log.warning("Redis is still away: starting without having looked at it")
                return
            time.sleep(_POLL_S)
        else:
            return


def examine(url: str) -> list[Finding]:
    """Findings on the Redis. Raises Away where it does not answer."""
    where = shown(url)
    try:
        # 3 begins with a command that Redis 5 lacks.
        with connect(url, protocol=2, kind=redis.Redis) as client:
            return list(_examine(client, where))
    except redis.BusyLoadingError as error:
        raise Away(f"{where} is still loading its data") from error
    except redis.AuthenticationError:
        cure = "put the right one into RUSHES_REDIS_URL (redis://USER:PASSWORD@HOST:PORT/0)"
        return [problem(_SUBJECT, f"the Redis on {where} wants another name or password", cure)]
    except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
        return [_unreachable(url, error)]
    except (redis.InvalidResponse, redis.ResponseError) as error:
        cure = "correct RUSHES_REDIS_URL"
        return [problem(_SUBJECT, f"what answers on {where} is no Redis for us ({error})", cure)]
    except (TypeError, ValueError) as error:  # options that redis-py does not know
        return [problem(_SUBJECT, f"RUSHES_REDIS_URL cannot be understood ({error})", "correct it")]


def shown(url: str) -> str:
    """Address of a Redis without the password."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "unix":
        return urllib.parse.unquote(parts.path)
    return f"{parts.hostname or 'localhost'}:{parts.port or 6379}"


def clock(url: str) -> Iterator[Finding]:
    """Whether this machine and Redis agree on the time."""
    with contextlib.suppress(RedisAway), connect(url) as client:
        began = time.time()
        seconds, micros = client.time()
        ours = (began + time.time()) / 2
        apart = abs(ours - seconds - micros / 1e6)
        if apart > _MAY_DIFFER_S:
            message = f"the clocks of this machine and of Redis are {apart:.0f} s apart"
            yield warning("clock", message, "let both follow a time server (`timedatectl`)")
        else:
            yield fine("clock", "this machine and Redis agree on the time")


def _examine(client: redis.Redis, where: str) -> Iterator[Finding]:
    try:
        info: dict[str, Any] = client.info()
    except redis.ResponseError as error:
        if not isinstance(error, NoPermissionError) and "unknown command" not in str(error):
            raise
        message = f"the Redis on {where} does not tell its version and whether it keeps its data"
        yield warning(_SUBJECT, message, "allow this user the command INFO")
        return
    version = str(info.get("redis_version", ""))
    if not _is_new_enough(version):
        least = ".".join(map(str, OLDEST))
        message = f"the Redis on {where} is version {version or 'unknown'}"
        yield problem(_SUBJECT, message, f"Rushes needs {least} or newer")
    else:
        yield fine(_SUBJECT, f"version {version} answers on {where}")
    if info.get("role") == "slave":
        message = f"the Redis on {where} is a replica that cannot be written"
        yield problem(_SUBJECT, message, "name its master in RUSHES_REDIS_URL")
    if info.get("cluster_enabled"):
        message = f"the Redis on {where} runs in cluster mode, which spreads keys over servers"
        yield problem(_SUBJECT, message, "use one that stands alone")
    yield _persistence(client, info, where)
    yield from _memory(info, where)


def _is_new_enough(version: str) -> bool:
    found = re.match(r"(\d+)\.(\d+)", version)
    return found is not None and tuple(map(int, found.groups())) >= OLDEST


def _persistence(client: redis.Redis, info: dict[str, Any], where: str) -> Finding:
    """Finding on how Redis keeps data: append-only file, snapshots alone, nothing, or unknown."""
    if info.get("aof_enabled"):
        if info.get("aof_last_write_status", "ok") != "ok":
            raise Away(f"{where} cannot write its append-only file; often its disk is full")
        return fine(_SUBJECT, "it keeps what it is given (append-only file)")
    try:
        saves = bool(client.config_get("save").get("save"))
    except redis.ResponseError:
        message = f"the Redis on {where} has no append-only file, and whether it keeps snapshots"
        return warning(_SUBJECT, f"{message} cannot be asked", "switch persistence on")
    if not saves:
        message = f"the Redis on {where} keeps nothing on disk, so a restart would lose all tasks"
        return problem(_SUBJECT, message, _KEEP)
    message = f"the Redis on {where} keeps snapshots only, so a crash would lose the last minutes"
    return warning(_SUBJECT, message, _KEEP)


def _memory(info: dict[str, Any], where: str) -> Iterator[Finding]:
    policy = info.get("maxmemory_policy", "noeviction")
    if info.get("maxmemory") and policy != "noeviction":
        message = f"the Redis on {where} throws keys away when its memory is full ({policy})"
        yield problem(_SUBJECT, message, "set `maxmemory-policy noeviction` in its configuration")


def _unreachable(url: str, error: Exception) -> Finding:
    """A problem for a Redis that no waiting mends; raises Away for any other one."""
    where, said = shown(url), str(error).rstrip(".")
    is_encrypted = url.startswith("rediss:")
    if is_encrypted and _UNTRUSTED in said:
        message = f"the certificate of the Redis on {where} is not trusted ({said})"
        cure = "name its authority with `?ssl_ca_certs=FILE` at the end of RUSHES_REDIS_URL"
        return problem(_SUBJECT, message, cure)
    if is_encrypted and _NO_FILE in said:
        message = "a certificate or key that RUSHES_REDIS_URL names does not exist"
        return problem(_SUBJECT, message, "correct its path")
    if _NO_PERMISSION in said:
        message = f"this user may not use the Redis on {where}"
        return problem(_SUBJECT, message, "see the permissions of its socket")
    if _TLS.search(said):
        message = f"no encrypted connection to the Redis on {where} ({said})"
        return problem(_SUBJECT, message, "redis:// is for one without TLS, rediss:// for one with")
    if is_encrypted and isinstance(error, redis.TimeoutError):  # it waits for more of a command
        said = f"{said}; one without TLS does the same, and needs redis://"
    raise Away(said) from error
