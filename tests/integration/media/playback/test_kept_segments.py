"""Segments are kept on disk up to a limit, and a disk that refuses costs nobody anything."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from api.media.playback.previews import KeptSegments
from shared import private_files

PIECE = bytes(300_000)  # three are less than a MiB, four are more


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    kept = KeptSegments(tmp_path / "previews", 1)
    for number in range(3):
        kept.keep(f"{number}", PIECE)
    age(tmp_path, kept)
    assert kept.get("0") == PIECE
    kept.keep("3", PIECE)
    assert [kept.get(f"{number}") for number in range(4)] == [PIECE, None, PIECE, PIECE]
    assert sum(path.stat().st_size for path in (tmp_path / "previews").iterdir()) <= 1 << 20


def test_another_process_finds_what_is_kept(tmp_path: Path) -> None:
    KeptSegments(tmp_path, 1).keep("a", PIECE)
    assert KeptSegments(tmp_path, 1).get("a") == PIECE


def test_nothing_is_kept_with_a_limit_of_0(tmp_path: Path) -> None:
    kept = KeptSegments(tmp_path / "previews", 0)
    kept.keep("a", PIECE)
    assert kept.get("a") is None
    assert not (tmp_path / "previews").exists()


def test_a_disk_that_refuses_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "previews").write_text("a file where the folder should be")
    kept = KeptSegments(tmp_path / "previews", 1)
    for _ in range(3):
        kept.keep("a", PIECE)
    assert kept.get("a") is None
    assert [r.message.partition(":")[0] for r in caplog.records] == ["Previews are not kept"]


def test_what_a_lower_limit_leaves_no_room_for_goes_at_the_start(tmp_path: Path) -> None:
    for number in range(6):
        KeptSegments(tmp_path, 8).keep(f"{number}", PIECE)
    KeptSegments(tmp_path, 1).tidy()
    assert len([*tmp_path.iterdir()]) == 3
    KeptSegments(tmp_path, 0).tidy()
    assert not [*tmp_path.iterdir()]
    KeptSegments(tmp_path / "not there", 1).tidy()


def test_a_disk_that_is_nearly_full_is_left_to_what_matters_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 2 << 30

    def disk(folder: Path) -> SimpleNamespace:
        held = sum(path.stat().st_size for path in folder.iterdir())
        return SimpleNamespace(total=10 << 30, free=free - held)

    monkeypatch.setattr(private_files.shutil, "disk_usage", disk)
    kept = KeptSegments(tmp_path, 8)
    for number in range(3):
        kept.keep(f"{number}", PIECE)
    free = (1 << 30) + 2 * len(PIECE)  # another program has written
    kept.keep("3", PIECE)
    assert kept.get("3") == PIECE
    assert len([*tmp_path.iterdir()]) <= 2
    free = 1 << 30
    kept.keep("4", PIECE)
    assert not [*tmp_path.iterdir()]


def test_a_disk_that_is_full_gets_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    kept = KeptSegments(tmp_path, 1)
    for number in range(3):
        kept.keep(f"{number}", PIECE)
    monkeypatch.setattr(private_files, "publish", refuse)
    kept.keep("3", PIECE)
    assert len([*tmp_path.iterdir()]) == 1


def age(folder: Path, kept: KeptSegments) -> None:
    """Make all that is kept as old as it was made, an hour ago."""
    files = sorted((folder / "previews").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    for number, path in enumerate(files):
        os.utime(path, (1e9 + number, 1e9 + number))
