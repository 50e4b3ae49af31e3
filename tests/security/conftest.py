"""Processes whose address space is bounded: a relapse fails here instead of swapping."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.private_redis import private_redis
from tests.support.stack import ADDRESS_SPACE, Stack


@pytest.fixture
def bounded_stack(tmp_path: Path, redis_url: str) -> Iterator[Stack]:
    """A stack without processes yet: start the ones that the attack needs.

    Their settings can be set before, as can `address_space` where an attack needs a tighter one.
    """
    stack = Stack(tmp_path, redis_url, address_space=dict(ADDRESS_SPACE))
    yield stack
    stack.stop()


@pytest.fixture(scope="module")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The same for all tests of a file."""
    with private_redis() as redis:
        folder = tmp_path_factory.mktemp("stack")
        stack = Stack(folder, redis.url, address_space=dict(ADDRESS_SPACE))
        yield stack
        stack.stop()
