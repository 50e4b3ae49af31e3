"""usearch, which is optional, and imported only after a child process has tried it and lived.

A kernel of another CPU ends a process (SIGILL): better a child's than the API's.
"""

from __future__ import annotations

import functools
import importlib
import logging
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_log = logging.getLogger(__name__)
_PACKAGE = "usearch"
_TRIAL_S = 60.0  # a busy machine; it takes half a second
# What the API does, in the order in which the API does it.
_TRIAL = """
import numkong, numpy as np
from usearch.index import Index
vectors = 127 * np.eye(64, dtype=np.int8)
index = Index(ndim=64, metric="ip", dtype="i8")
index.add(np.arange(64), vectors, threads=1)
assert index.search(vectors[7], 3, threads=1).keys[0] == 7
halves = vectors.astype(np.float16)
numkong.dots_packed(halves, numkong.dots_pack(halves))
"""


@functools.cache
def missing() -> str | None:
    """Why usearch cannot be used here, None where it can. The first call may take a second."""
    if installed() is None:
        return "usearch is not installed (pip install 'rushes[fast]')"
    command = [sys.executable, "-P", "-c", _TRIAL]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TRIAL_S
        )
        failed = done.returncode and f"{done.stderr.strip()[-300:]} ({done.returncode})"
    except (OSError, subprocess.TimeoutExpired) as error:
        failed = str(error)
    if failed:
        _log.warning("searches in the mode fast are exact: usearch does not work here: %s", failed)
        return "usearch does not work on this machine (the server's log says more)"
    return None


@functools.cache
def installed() -> str | None:
    """Which version is installed; looks, and imports nothing."""
    try:
        return version(_PACKAGE)
    except PackageNotFoundError:
        return None


def index_type() -> Any:
    """Index, of usearch; to be asked for only where nothing is `missing`."""
    return importlib.import_module("usearch.index").Index
