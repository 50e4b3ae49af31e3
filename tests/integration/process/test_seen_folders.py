"""What is missing is waited for, or judged, by what its folders were when files were seen there."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from shared.errors import NotAllowed, RedisAway
from shared.redis.clients import connect
from workers.presence import root_identity, seen_folders
from workers.presence.left_items import NotHereAnyMore
from workers.presence.root_identity import mount_point
from workers.presence.seen_folders import GONE_FOLDER_S, SeenFolders


class Breakable:
    """A client of Redis whose server goes away when the test says so."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self.is_away = False

    def __getattr__(self, name: str) -> Any:
        if self.is_away:
            raise RedisAway
        return getattr(self._client, name)


@pytest.fixture
def client(redis_url: str) -> Iterator[Breakable]:
    with connect(redis_url) as client:
        yield Breakable(client)


class Later:
    """The time, as this machine's clock tells it from now on."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def time(self) -> float:
        return time.time() + self._ahead_s

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead_s

    def by(self, seconds: float) -> None:
        self._ahead_s += seconds


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    later = Later()
    monkeypatch.setattr(seen_folders, "time", later)
    return later


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


def test_an_empty_root_that_is_the_one_it_was_is_judged(folders: SeenFolders, root: Path) -> None:
    path = film(root)
    assert folders.look([path]) is None
    os.unlink(path)
    assert folders.look([path]) is None


def test_another_empty_root_than_before_is_waited_for_without_end(
    folders: SeenFolders, root: Path, later: Later
) -> None:
    path = film(root)
    assert folders.look([path]) is None
    root.rename(root.with_name("kept"))
    for made_anew in (False, True):
        if made_anew:
            root.mkdir()
        gone = folders.look([path])
        assert gone is not None
        assert "is its disk mounted?" in gone.reason
        later.by(2 * GONE_FOLDER_S)
        assert folders.look([path]) is not None
        assert gone.is_over is not None
        assert not gone.is_over()
    root.rmdir()
    root.with_name("kept").rename(root)
    assert gone
    assert gone.is_over
    assert gone.is_over()


def test_an_empty_root_in_which_nothing_was_seen_is_waited_for_a_while(
    folders: SeenFolders, root: Path, later: Later
) -> None:
    path = os.fspath(root / "film.mov")
    gone = folders.look([path])
    assert gone is not None
    assert gone.reason == f"{root} is empty on this machine; is its disk mounted?"
    assert gone.wait_s <= GONE_FOLDER_S
    later.by(GONE_FOLDER_S)
    assert folders.look([path]) is None


def test_a_file_that_lay_outside_the_roots_while_its_disk_was_mounted_anew_is_tried_again(
    folders: SeenFolders, root: Path, later: Later
) -> None:
    refused = NotAllowed("It leads outside the folders in RUSHES_MEDIA_ROOTS.")
    path = film(root)
    assert folders.look([path]) is None
    with pytest.raises(NotHereAnyMore):
        folders.check(path, refused)
    later.by(GONE_FOLDER_S)
    folders.check(path, refused)
    link = root / "link.mov"
    link.symlink_to(film(root.with_name("elsewhere")))
    folders.check(os.fspath(link), refused)


def test_thousands_of_items_of_one_folder_cost_redis_nothing(
    client: Breakable, folders: SeenFolders, root: Path, later: Later
) -> None:
    path = film(root)
    assert folders.look([path]) is None
    client.is_away = True
    assert folders.look([path]) is None
    later.by(60)
    with pytest.raises(RedisAway):
        folders.look([path])


def test_a_disk_is_known_by_its_mount_where_no_list_of_mounts_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """macOS."""
    ours = mount_point(str(tmp_path / "not" / "there"))
    monkeypatch.setattr(root_identity, "_MOUNTS", tmp_path / "mountinfo")
    assert mount_point(str(tmp_path / "not" / "there")) == ours
