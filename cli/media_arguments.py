"""Paths as they are typed: of this machine made absolute, of another system left as they are."""

from __future__ import annotations

import os
import re
from typing import Annotated

import typer

from shared.errors import BadInput

_FOREIGN = re.compile(r"^(?:[A-Za-z]:[\\/]|\\\\)")

CacheOption = Annotated[
    str,
    typer.Option(
        "--cache",
        envvar="RUSHES_CACHE_DIR",
        help="Folder that receives everything derived from the media.",
        show_default=False,
    ),
]


def server_path(path: str) -> str:
    r"""The path as the server is told it: `Z:\…` and `\\server\…` stay as they are."""
    return path if _FOREIGN.match(path) else os.path.abspath(os.path.expanduser(path))


def cache_dir(given: str) -> str:
    """The cache folder as the server is told it. Raises BadInput where none is named."""
    if not given:
        raise BadInput("Name the cache folder with --cache DIR, or set RUSHES_CACHE_DIR.")
    return server_path(given)
