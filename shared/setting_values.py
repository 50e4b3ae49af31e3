"""Reads the values of settings: one function for each kind, a sentence for what it refuses.

Each takes the setting's name and the text that was given, and raises SettingsError.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.errors import SettingsError

_PUBLIC_URL = re.compile(
    r"(?P<origin>https?://(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:[0-9]+)?)"
    r"(?P<path>(/[\w.~-]+)*)/?",
    re.ASCII | re.IGNORECASE,
)
MOST_THREADS = 64  # that decode, in one process
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def _one_of(*allowed: str) -> Callable[[str, str], str]:
    def parse(name: str, raw: str) -> str:
        found = next((word for word in allowed if word.lower() == raw.lower()), None)
        if found is None:
            raise SettingsError(
                f"RUSHES_{name.upper()} must be one of {', '.join(allowed)}, not {raw!r}."
            )
        return found

    return parse


def _integer(name: str, raw: str) -> int:
    try:
        return int(raw)
    except ValueError:
        raise SettingsError(f"RUSHES_{name.upper()} must be a whole number, not {raw!r}.") from None


def _count(name: str, raw: str) -> int:
    number = _integer(name, raw)
    if number < 1:
        raise SettingsError(f"RUSHES_{name.upper()} must be at least 1, not {number}.")
    return number


def _amount(name: str, raw: str) -> int:
    number = _integer(name, raw)
    if number < 0:
        raise SettingsError(f"RUSHES_{name.upper()} must be at least 0, not {number}.")
    return number


def _threads(name: str, raw: str) -> int:
    number = _integer(name, raw)
    if not 1 <= number <= MOST_THREADS:
        raise SettingsError(f"RUSHES_{name.upper()} must be 1 to {MOST_THREADS}, not {number}.")
    return number


def _part(name: str, raw: str) -> float:
    try:
        part = float(raw)
    except ValueError:
        part = -1.0
    if not 0 <= part <= 0.9:
        raise SettingsError(f"RUSHES_{name.upper()} must be 0 to 0.9, not {raw!r}.")
    return part


def _port(name: str, raw: str) -> int:
    if raw.startswith("tcp://"):
        raise SettingsError(
            f"RUSHES_{name.upper()} is what Kubernetes says of a Service: give the pod "
            "`enableServiceLinks: false`, or set it to a port."
        )
    port = _integer(name, raw)
    if not 0 < port < 65536:
        raise SettingsError(f"RUSHES_{name.upper()} must be 1 to 65535, not {port}.")
    return port


def _device(name: str, raw: str) -> str:
    if not _DEVICE.fullmatch(raw.lower()):
        raise SettingsError(
            f"RUSHES_{name.upper()} must be auto, cpu, mps, cuda or cuda:N, not {raw!r}."
        )
    return raw.lower()


def _redis_url(name: str, raw: str) -> str:
    scheme, slashes, _ = raw.partition("://")
    if scheme not in ("redis", "rediss", "unix") or not slashes:
        given = f", not {scheme}://" if slashes and scheme.isalnum() else ""  # else: a password?
        raise SettingsError(
            f"RUSHES_{name.upper()} must begin with redis://, rediss:// or unix://{given}."
        )
    try:
        urllib.parse.urlsplit(raw).port  # noqa: B018 (reading it checks it)
    except ValueError:  # what it says may hold a part of the password
        raise SettingsError(
            f"RUSHES_{name.upper()} is no address of a Redis (redis://:PASSWORD@HOST:PORT/0): its "
            "port is no number, or its password holds a /, # or ? that must be written %2F, %23 "
            "or %3F."
        ) from None
    return raw


def _web_address(name: str, raw: str) -> str:
    try:
        url = urllib.parse.urlsplit(raw)
        is_one = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
        is_one = is_one and not url.query and not url.fragment  # a path comes after it
    except ValueError:
        is_one = False
    if not is_one:  # not repeated here: it may hold a password
        raise SettingsError(
            f"RUSHES_{name.upper()} must be an address such as http://collector:4318, "
            "without ? or #."
        )
    return raw


def _public_url(name: str, raw: str) -> str:
    """The address as browsers write it: lower case, no usual port, no slash at its end."""
    found = _PUBLIC_URL.fullmatch(raw)
    path = found["path"] if found else ""
    if not found or not _has_port(raw) or {".", ".."} & {*path.split("/")}:
        given = "" if "@" in raw else f", not {raw!r}"  # else: a password?
        raise SettingsError(
            f"RUSHES_{name.upper()} must be an address such as https://studio.example/rushes, from "
            f"http:// or https:// to the end of a path, and nothing behind it{given}."
        )
    if path.endswith("/api/v1"):
        raise SettingsError(
            f"RUSHES_{name.upper()} must end before /api/v1, which is added to it: not {raw!r}."
        )
    origin = found["origin"].lower()
    usual = ":443" if origin.startswith("https") else ":80"
    return origin.removesuffix(usual) + path


def _has_port(url: str) -> bool:
    """Whether the port of an address, if it has one, is one."""
    try:
        return urllib.parse.urlsplit(url).port != 0
    except ValueError:
        return False


def _switch(name: str, raw: str) -> bool:
    words = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}
    if raw.lower() not in words:
        raise SettingsError(f"RUSHES_{name.upper()} must be on or off, not {raw!r}.")
    return words[raw.lower()]


def _words(_name: str, raw: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in raw.split(",") if part.strip())


def _extensions(name: str, raw: str) -> tuple[tuple[str, bool], ...]:
    """(".mod", True) adds, (".gif", False) removes."""
    changes = []
    for word in _words(name, raw):
        extension = word.lstrip("+-").removeprefix(".").lower()
        if not extension or not extension.isalnum():
            raise SettingsError(
                f"RUSHES_{name.upper()} must hold extensions such as +mod or -gif, not {word!r}."
            )
        changes.append((f".{extension}", not word.startswith("-")))
    return tuple(changes)


def _roots(name: str, raw: str) -> tuple[Path, ...]:
    roots = tuple(Path(part) for part in raw.split(":") if part)
    if not roots:
        raise SettingsError(f"RUSHES_{name.upper()} must name a folder, not {raw!r}.")
    for root in roots:
        if not root.is_absolute():
            raise SettingsError(f"RUSHES_{name.upper()} must hold absolute paths, not {root}.")
    return roots


def _path(name: str, raw: str) -> Path:
    try:
        path = Path(raw).expanduser()
    except RuntimeError:  # ~nobody, or a user without a home
        raise SettingsError(f"RUSHES_{name.upper()}: {raw} names no home.") from None
    if not path.is_absolute():
        raise SettingsError(f"RUSHES_{name.upper()} must be an absolute path, not {raw}.")
    return path


def _pairs(name: str, raw: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for part in filter(None, (piece.strip() for piece in raw.split(";"))):
        client, equals, server = part.partition("=")
        if not equals or not client or not server.startswith("/"):
            raise SettingsError(
                f"RUSHES_{name.upper()} must hold client=server pairs with an absolute server "
                f"path, not {part!r}."
            )
        pairs.append((client, server))
    return tuple(pairs)


PARSERS: dict[str, Callable[[str, str], Any]] = {
    "port": _port,
    "redis_url": _redis_url,
    "device": _device,
    "traces_endpoint": _web_address,
    "public_url": _public_url,
    "workers": _count,
    "decode_threads": _threads,
    "query_workers": _count,
    "max_body_mb": _count,
    "preview_cache_mb": _amount,
    "watch_rescan_seconds": _count,
    "watch_poll_seconds": _count,
    "watch_extensions": _extensions,
    "metrics": _switch,
    "console": _switch,
    "speakers": _switch,
    "allow_noncommercial": _switch,
    "model_idle_minutes": _count,
    "model_memory_mb": _count,
    "license_keys": _words,
    "cors_origins": _words,
    "allowed_hosts": _words,
    "webhook_hosts": _words,
    "media_roots": _roots,
    "cache_roots": _roots,
    "export_roots": _roots,
    "state_dir": _path,
    "models_dir": _path,
    "path_map": _pairs,
    "audio_streams": _one_of("mix", "first", "each"),
    "log_level": _one_of("DEBUG", "INFO", "WARNING", "ERROR"),
    "log_format": _one_of("text", "json"),
    "socket_auth": _one_of("optional", "required"),
    "on_busy": _one_of("replace", "replace-any", "queue", "refuse"),
    "ingest_share": _part,
}
