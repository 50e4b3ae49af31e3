"""What tests fetch from a registry: a visible skip without a network, a failure in CI."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator
from typing import Any

import pytest

from shared.registry_packages import FetchFailed


def in_ci() -> bool:
    return os.environ.get("CI") == "true"


@contextlib.contextmanager
def fetched_or_skipped() -> Iterator[None]:
    """FetchFailed in the block skips the test, in CI it fails it: nothing may go untested there."""
    try:
        yield
    except FetchFailed as error:
        if in_ci():
            pytest.fail(error.message)
        pytest.skip(error.message)


def import_studio(module: str) -> Any:
    """A module of the studio extra. Missing, it skips the file, in a CI that installs it, fails."""
    if in_ci() and os.environ.get("RUSHES_TEST_STUDIO") == "1":
        return importlib.import_module(module)
    return pytest.importorskip(
        module, reason="the studio extra (torch, open_clip) is not installed"
    )
