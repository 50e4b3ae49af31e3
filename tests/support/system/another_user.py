"""This process as a user that owns nothing; needs root: see tests/support/skip_or_fail.py."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from tests.support.skip_or_fail import skip_or_fail


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """In the block this process, and what it starts, is user 65534."""
    if os.getuid() != 0:
        skip_or_fail("only root may become another user")
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
