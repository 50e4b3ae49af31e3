"""What tests need and may lack on a desk: a visible skip there, a failure in CI."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest

from shared.models.registry_packages import FetchFailed


def in_ci() -> bool:
    return os.environ.get("CI") == "true"


def skip_or_fail(reason: str) -> NoReturn:
    """Skips the test; in CI it fails it, because nothing may go untested there."""
    if in_ci():
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def fetched_or_skipped() -> Iterator[None]:
    """What the block cannot fetch skips the test, in CI it fails it."""
    try:
        yield
    except FetchFailed as error:
        skip_or_fail(error.message)


def import_studio(module: str) -> Any:
    """Import a module of the studio extra. Missing, it skips the test; in CI it fails it."""
    if in_ci():
        return importlib.import_module(module)
    return pytest.importorskip(
        module, reason="the studio extra (torch, open_clip) is not installed"
    )
