"""What lints the API document and generates clients from it, as `scripts/setup clients` puts it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.skip_or_fail import skip_or_fail
from tests.support.stack import PROJECT

FILES = PROJECT / "tests" / "clients"
_NODE_MODULES = PROJECT / ".rushes" / "node" / "node_modules"
_VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
_PYTHON = PROJECT / ".rushes" / f"client-generator-{_VERSION}"  # compiled packages fit this Python


def node_folder(folder: Path) -> Path:
    """`folder`, in which node finds our packages. Without them the test fails in CI."""
    if not shutil.which("node"):
        skip_or_fail("node is missing: install Node.js 20.19 or newer (Debian: nodejs npm).")
    if not _NODE_MODULES.is_dir():
        skip_or_fail(f"{_NODE_MODULES} is missing: run scripts/setup clients.")
    (folder / "node_modules").symlink_to(_NODE_MODULES)
    return folder


def search_path(*folders: Path) -> str:
    """A PATH with these folders, our Python, and then all of the system."""
    return os.pathsep.join(
        [*map(str, folders), str(Path(sys.executable).parent), os.environ["PATH"]]
    )


def generators_path(folder: Path) -> str:
    """The same with the generators of both languages.

    `folder` is made and holds a program that starts the generator in Python with its own packages.
    """
    if not _PYTHON.is_dir():
        skip_or_fail(f"{_PYTHON} is missing: run scripts/setup clients.")
    folder.mkdir()
    started = folder / "openapi-python-client"
    started.write_text(
        f'#!/bin/sh\nPYTHONPATH="{_PYTHON}" exec "{sys.executable}" -m openapi_python_client "$@"\n'
    )
    started.chmod(0o755)
    return search_path(folder, _NODE_MODULES / ".bin")


def ran(command: Sequence[str | Path], folder: Path) -> str:
    """Output of a command in that folder, which must end well."""
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=90)
    assert result.returncode == 0, f"{command}: {result.stdout[-3000:]}{result.stderr[-3000:]}"
    return result.stdout
