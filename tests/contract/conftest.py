"""One API process, without workers, for all tests of the HTTP contract."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.private_redis import PrivateRedis
from tests.support.stack import Client, Stack, running_stack


@pytest.fixture(scope="session")
def api_redis() -> Iterator[PrivateRedis]:
    """The Redis of that process."""
    with tempfile.TemporaryDirectory(prefix="rc-") as folder:
        server = PrivateRedis(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def api_stack(api_redis: PrivateRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The process; its media and cache roots are folders of its own."""
    folder = tmp_path_factory.mktemp("api")
    for name in ("media", "caches"):
        (folder / name).mkdir()
    settings = {
        "RUSHES_MEDIA_ROOTS": str(folder / "media"),
        "RUSHES_CACHE_ROOTS": str(folder / "caches"),
        "RUSHES_MAX_BODY_MB": "2",
    }
    with running_stack(folder, api_redis.url, analysis=0, query=0, **settings) as stack:
        yield stack


@pytest.fixture
def client(api_stack: Stack, api_redis: PrivateRedis) -> Client:
    """A client with the key; Redis is empty."""
    api_redis.flush()
    return api_stack.client()


@pytest.fixture(scope="session")
def media(api_stack: Stack) -> Path:
    """The folder in which media may lie."""
    return api_stack.folder / "media"


@pytest.fixture(scope="session")
def caches(api_stack: Stack) -> Path:
    """The folder in which cache folders may lie."""
    return api_stack.folder / "caches"
