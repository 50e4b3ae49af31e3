"""Checks of the server that runs on this machine's port, or of the port where no server does."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import httpx
import msgspec

from cli.checks.finding import Finding, fine, problem, warning
from shared.errors import RedisAway, SettingsError
from shared.process.listening import listen
from shared.redis.clients import connect, key_prefix
from shared.settings import Settings

_ANSWERS_WITHIN_S = 5.0
_SUBJECT = "server"
_KINDS = ("query", "analysis")  # without them nothing can be searched or analysed


def server(settings: Settings) -> Iterator[Finding]:
    """Whether the server is well and of this version; where none runs, if its port is free."""
    address = local_address(settings)
    url = f"{address}/api/v1"
    with httpx.Client(timeout=_ANSWERS_WITHIN_S, trust_env=False) as client:
        try:
            if _json(client, f"{url}/health") != {"status": "ok"}:
                yield from _port(settings)
                return
        except httpx.ConnectError:
            yield from _port(settings)
            return
        except httpx.HTTPError as error:
            message = f"something listens on {address} and does not answer ({error})"
            yield problem(_SUBJECT, message, "see the log of the API, or stop what listens there")
            return
        clients = f", and clients call it {settings.public_url}" if settings.public_url else ""
        yield fine(_SUBJECT, f"a Rushes runs on {address}{clients}")
        try:
            yield from _readiness(client, url)
            yield from _version(client, url)
        except httpx.HTTPError as error:
            yield problem(_SUBJECT, f"it does not answer any more ({error})", "see its log")


def keys(settings: Settings, redis_url: str | None) -> Iterator[Finding]:
    """Whether any client can get in with a licence key. Looks, and restores nothing."""
    count = len(settings.license_keys)
    try:
        kept = msgspec.json.decode((settings.state_dir / "keys.json").read_bytes())
        count += len(kept["keys"])
    except (FileNotFoundError, NotADirectoryError):
        pass
    except PermissionError:
        message = f"this user may not read {settings.state_dir / 'keys.json'}"
        yield problem("keys", message, "run the server and this as the user whose file it is")
    except (OSError, msgspec.MsgspecError, KeyError, TypeError) as error:
        message = f"{settings.state_dir / 'keys.json'} cannot be read ({error})"
        yield problem("keys", message, "restore it from a backup, or remove it and make keys anew")
    try:
        if redis_url is not None:
            with connect(redis_url) as client:
                count = max(count, client.hlen(f"{key_prefix(settings.instance)}keys"))
    except (RedisAway, TypeError, ValueError):
        pass  # said where Redis is looked at
    if count:
        yield fine("keys", f"{count} licence {'key' if count == 1 else 'keys'}")
    elif settings.redis_url is None:
        yield fine("keys", "there are none yet; `rushes up` makes the first")
    else:
        yield warning("keys", "there is no licence key", "run `rushes keys create`")


def _port(settings: Settings) -> Iterator[Finding]:
    try:
        for one in listen(settings):
            one.close()
    except SettingsError as error:
        message, _, cure = error.message.rstrip(".").rpartition(": ")
        yield problem("port", message, cure)
    else:
        yield fine("port", f"{settings.port} on {settings.host} is free; no server runs there")


def _readiness(client: httpx.Client, url: str) -> Iterator[Finding]:
    answer = _json(client, f"{url}/ready?require=models,roots")
    found = answer if isinstance(answer, dict) else {}
    workers = found.get("workers") or {}
    has_redis = found.get("checks", {}).get("redis")
    absent = [kind for kind in _KINDS if has_redis and not workers.get(kind)]
    for kind in absent:
        yield problem(_SUBJECT, f"no {kind} worker runs", f"start one: `rushes worker {kind}`")
    if found.get("ready") is not True:
        reason = str(found.get("message") or "no reason is given; see its log").rstrip(".")
        yield problem(_SUBJECT, "it is not ready", reason)
    if workers:
        shown = ", ".join(f"{count} {kind}" for kind, count in sorted(workers.items()))
        yield fine(_SUBJECT, f"workers: {shown}")


def _version(client: httpx.Client, url: str) -> Iterator[Finding]:
    document = _json(client, f"{url}/openapi.json")
    theirs = document.get("info", {}).get("version") if isinstance(document, dict) else None
    ours = version("rushes")
    if theirs != ours:
        message = f"the server is version {theirs}, and this command is {ours}"
        yield warning(_SUBJECT, message, "restart the server, or update what is older")
    else:
        yield fine(_SUBJECT, f"server and command line are version {ours}")


def _json(client: httpx.Client, url: str) -> Any:
    """The server's answer, whatever the status; None for what is no JSON."""
    try:
        return client.get(url).json()
    except ValueError:
        return None


def local_address(settings: Settings) -> str:
    """Address of the API, `http://HOST:PORT`; if it listens everywhere, that of loopback."""
    host = settings.host.strip("[]")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
