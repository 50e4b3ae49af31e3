"""Processes whose address space is bounded: a relapse fails here instead of swapping."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack import ADDRESS_SPACE, Stack


@pytest.fixture
def bounded_stack(tmp_path: Path, redis_url: str) -> Iterator[Stack]:
    """A stack without processes yet: start the ones that the attack needs.

    Their settings can be set before, as can `address_space` where an attack needs a tighter one.
    """
    stack = Stack(tmp_path, redis_url, address_space=dict(ADDRESS_SPACE))
    yield stack
    stack.stop()
