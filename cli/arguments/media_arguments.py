"""Paths and times as they are typed: a path of this machine becomes absolute, others stay."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePath, PureWindowsPath
from typing import Annotated

from cli.options import option
from shared.errors import BadInput

_FOREIGN = re.compile(r"^(?:[A-Za-z]:[\\/]|\\\\)")
_TIME = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,2}):)?(\d+(?:\.\d+)?)")

CacheOption = Annotated[
    str,
    option(
        "Folder that receives everything derived from the media.",
        "--cache",
        envvar="RUSHES_CACHE_DIR",
    ),
]


def is_foreign(path: str) -> bool:
    r"""Whether a path is one of Windows, `Z:\…` or `\\server\…`, typed on another system."""
    return _FOREIGN.match(path) is not None


def pure_path(path: str) -> PurePath:
    """A path of the server's as one of the server's system, as far as that can be told."""
    return PureWindowsPath(path) if is_foreign(path) else PurePath(path)


def server_path(path: str) -> str:
    r"""A path as the server is told it: `Z:\…` and `\\server\…` stay as they are."""
    return path if is_foreign(path) else os.path.abspath(os.path.expanduser(path))


def cache_dir(given: str) -> str:
    """The cache folder as the server is told it. Raises BadInput where none is named."""
    if not given:
        raise BadInput("Name the cache folder with --cache DIR, or set RUSHES_CACHE_DIR.")
    return server_path(given)


def seconds(time: str) -> float:
    """Seconds of `75`, `75.5`, `1:15.5` or `0:01:15`. Raises BadInput."""
    found = _TIME.fullmatch(time.strip())
    if found is None:
        raise BadInput(f"{time} is no time: write seconds, M:SS or H:MM:SS.")
    hours, minutes, rest = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + rest


def vocabulary(given: Sequence[str]) -> list[str]:
    """The words of the option; of "@FILE" each line that is not empty. Raises BadInput."""
    found: list[str] = []
    for word in given:
        found += _lines(Path(word[1:])) if word.startswith("@") else [word]
    return [word for word in found if word.strip()]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadInput(f"--vocabulary: {path} cannot be read: {reason}.") from error
