"""The CacheDir on disks that are full, read-only or another one's."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.cache.caches import Caches
from shared.cache.cache_dir import CacheDir
from shared.domain import Stage
from shared.errors import CacheError
from shared.settings import Settings
from tests.integration.cache.publishing import HASH, MODEL, SPAWN, data_of, publish
from tests.support.system.tiny_disk import tiny_disk


def _fill(path: str, out: object) -> None:
    cache = CacheDir.open(path, create=True)
    publish(cache, b"small")
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    try:
        publish(cache, b"x" * 5_000_000)
    except CacheError as error:
        out.put(error.message)  # type: ignore[attr-defined]


def _filled(path: Path) -> str:
    out = SPAWN.Queue()
    worker = SPAWN.Process(target=_fill, args=(str(path), out))
    worker.start()
    message = out.get(timeout=30)
    worker.join()
    return str(message)


def test_a_write_that_the_disk_refuses_says_so_and_keeps_what_was_there(tmp_path: Path) -> None:
    assert "is full. Free some space" in _filled(tmp_path)
    cache = CacheDir.open(tmp_path, create=False)
    assert data_of(cache) == b"small"
    assert not list(cache.media_dir(HASH).path.glob(".*.tmp"))


def test_an_error_of_another_disk_while_a_draft_is_open_is_not_said_of_the_cache(
    cache: CacheDir,
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with (
        pytest.raises(OSError, match="No space left") as raised,
        cache.draft(HASH, Stage.VISUAL, MODEL, "npy", "7"),
    ):
        raise full
    assert raised.value is full
    assert not list(cache.media_dir(HASH).path.iterdir())


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    with tiny_disk(tmp_path / "tiny") as folder:
        yield folder


def test_a_full_disk_is_a_clear_error_and_takes_files_again_once_there_is_room(
    mounted: Path,
) -> None:
    cache = CacheDir.open(mounted / "cache", create=True)
    publish(cache, b"small")
    with pytest.raises(CacheError, match="is full"):
        publish(cache, b"x" * 5_000_000)
    assert data_of(cache) == b"small"
    publish(cache, b"more")
    assert data_of(cache) == b"more"


def test_a_new_cache_folder_leaves_nothing_behind_on_a_full_disk(mounted: Path) -> None:
    filler = mounted / "filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(b"x" * (2 << 20))
    for _ in range(2):
        with pytest.raises(CacheError, match="is full"):
            CacheDir.open(mounted / "cache", create=True)
    assert list((mounted / "cache").iterdir()) == []
    filler.unlink()
    assert publish(CacheDir.open(mounted / "cache", create=True), b"more")


def test_a_link_that_is_swapped_while_it_is_followed_is_an_error_of_the_folder_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    CacheDir.open(tmp_path / "cache", create=True)
    (tmp_path / "link").symlink_to("cache")
    caches = Caches(Settings(cache_roots=(str(tmp_path),)))
    opened = caches.cache(str(tmp_path / "link"))
    read = os.readlink

    def swapped(path: str, **how: Any) -> str:
        """The link is a folder by the time that it is read."""
        if path == str(tmp_path / "link"):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        return read(path, **how)

    monkeypatch.setattr(os, "readlink", swapped)
    # From Python 3.13 on, realpath takes what it cannot read for no link.
    with contextlib.suppress(CacheError):
        caches.follow(opened)
    caches.close()


def test_a_read_only_folder_is_a_clear_error(mounted: Path) -> None:
    publish(CacheDir.open(mounted, create=True), b"x")
    subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)
    with pytest.raises(CacheError, match="read-only file system"):
        CacheDir.open(mounted, create=True)
    assert data_of(CacheDir.open(mounted, create=False)) == b"x"
