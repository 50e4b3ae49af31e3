"""One real stack for all tests of the main job; tests that break things start their own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright

from tests.support.console.chromium import chromium, driver
from tests.support.media.photos import known_photos
from tests.support.private_redis import private_redis
from tests.support.stack import Client, Stack, running_stack


@pytest.fixture(scope="session")
def photos() -> dict[str, Path]:
    """Real photos of known things: cat, coffee, rocket, astronaut, flower."""
    return known_photos()


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An API process, a query worker and an analysis worker on one Redis."""
    with (
        private_redis() as redis,
        running_stack(
            tmp_path_factory.mktemp("stack"), redis.url, RUSHES_WEBHOOK_HOSTS="127.0.0.1"
        ) as running,
    ):
        yield running


@contextlib.contextmanager
def one_more_api(stack: Stack) -> Iterator[Client]:
    """A client of another API process of the stack, which is there meanwhile."""
    name = f"api-{len(stack.ports)}"
    yield stack.start_api()
    assert stack.processes.pop(name).end() == 0
    stack.ports.pop()


@pytest.fixture(scope="module")
def second_api(stack: Stack) -> Iterator[Client]:
    """The same for the tests of one file."""
    with one_more_api(stack) as client:
        yield client


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """The driver of browsers, for tests in a real browser.

    Only in this folder: while it runs, this thread cannot run asyncio, which other tests do.
    """
    with driver() as started:
        yield started


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """A headless browser; each test opens windows of its own."""
    with chromium(playwright) as started:
        yield started
