"""Reads the values of settings: one function for each kind, a sentence for what it refuses.

Each takes the text that was given. ValueError says what is wrong, to stand behind a setting's name.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PUBLIC_URL = re.compile(
    r"(?P<origin>https?://(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:[0-9]+)?)"
    r"(?P<path>(/[\w.~-]+)*)/?",
    re.ASCII | re.IGNORECASE,
)
MOST_THREADS = 64  # that decode, in one process
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(raw: str) -> str:
        found = next((word for word in allowed if word.lower() == raw.lower()), None)
        if found is None:
            raise ValueError(f"must be one of {', '.join(allowed)}, not {raw!r}.")
        return found

    return parse


def _number(least: int, most: int | None = None) -> Callable[[str], int]:
    def parse(raw: str) -> int:
        try:
            number = int(raw)
        except ValueError:
            raise ValueError(f"must be a whole number, not {raw!r}.") from None
        if number < least or (most is not None and number > most):
            bounds = f"at least {least}" if most is None else f"{least} to {most}"
            raise ValueError(f"must be {bounds}, not {number}.")
        return number

    return parse


def _part(raw: str) -> float:
    try:
        part = float(raw)
    except ValueError:
        part = -1.0
    if not 0 <= part <= 0.9:
        raise ValueError(f"must be 0 to 0.9, not {raw!r}.")
    return part


def _port(raw: str) -> int:
    if raw.startswith("tcp://"):
        raise ValueError(
            "is what Kubernetes says of a Service: give the pod `enableServiceLinks: false`, or "
            "set it to a port."
        )
    return _number(1, 65535)(raw)


def _device(raw: str) -> str:
    if not _DEVICE.fullmatch(raw.lower()):
        raise ValueError(f"must be auto, cpu, mps, cuda or cuda:N, not {raw!r}.")
    return raw.lower()


def _redis_url(raw: str) -> str:
    scheme, slashes, _ = raw.partition("://")
    if scheme not in ("redis", "rediss", "unix") or not slashes:
        given = f", not {scheme}://" if slashes and scheme.isalnum() else ""  # else: a password?
        raise ValueError(f"must begin with redis://, rediss:// or unix://{given}.")
    try:
        urllib.parse.urlsplit(raw).port  # noqa: B018 (reading it checks it)
    except ValueError:  # what it says may hold a part of the password
        raise ValueError(
            "is no address of a Redis (redis://:PASSWORD@HOST:PORT/0): its port is no number, or "
            "its password holds a /, # or ? that must be written %2F, %23 or %3F."
        ) from None
    return raw


def _web_address(raw: str) -> str:
    try:
        url = urllib.parse.urlsplit(raw)
        is_one = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
        is_one = is_one and not url.query and not url.fragment  # a path comes after it
    except ValueError:
        is_one = False
    if not is_one:  # not repeated here: it may hold a password
        raise ValueError("must be an address such as http://collector:4318, without ? or #.")
    return raw


def _public_url(raw: str) -> str:
    """The address as browsers write it: lower case, no usual port, no slash at its end."""
    found = _PUBLIC_URL.fullmatch(raw)
    path = found["path"] if found else ""
    if not found or not _has_port(raw) or {".", ".."} & {*path.split("/")}:
        given = "" if "@" in raw else f", not {raw!r}"  # else: a password?
        raise ValueError(
            "must be an address such as https://studio.example/rushes, from http:// or https:// "
            f"to the end of a path, and nothing behind it{given}."
        )
    if path.endswith("/api/v1"):
        raise ValueError(f"must end before /api/v1, which is added to it: not {raw!r}.")
    origin = found["origin"].lower()
    usual = ":443" if origin.startswith("https") else ":80"
    return origin.removesuffix(usual) + path


def _has_port(url: str) -> bool:
    """Whether the port of an address, if it has one, is one."""
    try:
        return urllib.parse.urlsplit(url).port != 0
    except ValueError:
        return False


def _switch(raw: str) -> bool:
    words = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}
    if raw.lower() not in words:
        raise ValueError(f"must be on or off, not {raw!r}.")
    return words[raw.lower()]


def _words(raw: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in raw.split(",") if part.strip())


def _extensions(raw: str) -> tuple[tuple[str, bool], ...]:
    """(".mod", True) adds, (".gif", False) removes."""
    changes = []
    for word in _words(raw):
        extension = word.lstrip("+-").removeprefix(".").lower()
        if not extension or not extension.isalnum():
            raise ValueError(f"must hold extensions such as +mod or -gif, not {word!r}.")
        changes.append((f".{extension}", not word.startswith("-")))
    return tuple(changes)


def _roots(raw: str) -> tuple[Path, ...]:
    roots = tuple(Path(part) for part in raw.split(":") if part)
    if not roots:
        raise ValueError(f"must name a folder, not {raw!r}.")
    for root in roots:
        if not root.is_absolute():
            raise ValueError(f"must hold absolute paths, not {root}.")
    return roots


def _path(raw: str) -> Path:
    try:
        path = Path(raw).expanduser()
    except RuntimeError:  # ~nobody, or a user without a home
        raise ValueError(f"must be a path, and {raw} names no home.") from None
    if not path.is_absolute():
        raise ValueError(f"must be an absolute path, not {raw}.")
    return path


def _pairs(raw: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for part in filter(None, (piece.strip() for piece in raw.split(";"))):
        client, equals, server = part.partition("=")
        if not equals or not client or not server.startswith("/"):
            raise ValueError(
                f"must hold client=server pairs with an absolute server path, not {part!r}."
            )
        pairs.append((client, server))
    return tuple(pairs)


# By the name of a setting, else by its type; others are text.
PARSERS: dict[str, Callable[[str], Any]] = {
    "bool": _switch,
    "int": _number(1),
    "int | None": _number(1),
    "tuple[str, ...]": _words,
    "tuple[Path, ...] | None": _roots,
    "Path": _path,
    "Path | None": _path,
    "port": _port,
    "redis_url": _redis_url,
    "device": _device,
    "traces_endpoint": _web_address,
    "public_url": _public_url,
    "decode_threads": _number(1, MOST_THREADS),
    "preview_cache_mb": _number(0),
    "watch_extensions": _extensions,
    "path_map": _pairs,
    "audio_streams": _one_of("mix", "first", "each"),
    "log_level": _one_of("DEBUG", "INFO", "WARNING", "ERROR"),
    "log_format": _one_of("text", "json"),
    "socket_auth": _one_of("optional", "required"),
    "on_busy": _one_of("replace", "replace-any", "queue", "refuse"),
    "ingest_share": _part,
}
