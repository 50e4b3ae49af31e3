"""What is missing is waited for, or judged, by what its folders were when a Task saw files there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from shared.redis.clients import connect
from workers.seen_folders import GONE_FOLDER_S, SeenFolders


class Breakable:
    """A client of Redis whose server goes away when the test says so."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self.is_away = False

    def __getattr__(self, name: str) -> Any:
        if self.is_away:
            raise redis.ConnectionError("away")
        return getattr(self._client, name)


@pytest.fixture
def client(redis_url: str) -> Iterator[Breakable]:
    with connect(redis_url) as client:
        yield Breakable(client)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "media").mkdir()
    return tmp_path / "media"


@pytest.fixture
def folders(client: Breakable, root: Path) -> SeenFolders:
    return SeenFolders(client, "test", "task", (root,))  # type: ignore[arg-type]


def film(folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    path = folder / "film.mov"
    path.write_bytes(b"film")
    return os.fspath(path)


def test_whether_a_folder_is_back_is_not_asked_of_redis(
    client: Breakable, folders: SeenFolders, root: Path
) -> None:
    """A worker looks between Items, where an outage would end it."""
    (root / "notes.txt").touch()
    path = film(root / "shoot")
    assert folders.look([path]) is None
    shutil.rmtree(root / "shoot")
    gone = folders.look([path])
    assert gone is not None
    assert gone.is_over is not None
    assert 0 < gone.wait_s <= GONE_FOLDER_S
    client.is_away = True
    assert not gone.is_over()
    (root / "shoot").mkdir()
    assert gone.is_over()
