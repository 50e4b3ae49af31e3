"""Exports to disks and folders, and from sources, that are not as they should be. Nothing is
overwritten, nothing half done bears a name, and one clip's trouble is no other's.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.exports.export_desk import (
    PART,
    ExportDesk,
    clip,
    codes,
    exported,
    shared_server,
    shown,
)
from tests.support.media.media import damage, truncate
from tests.support.system.tiny_disk import tiny_disk


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExportDesk]:
    with shared_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def desk(server: ExportDesk, tmp_path: Path) -> ExportDesk:
    return server.with_folders_in(tmp_path)


# Item 18 of the checklist: disks, folders and names ----------------------------------------


def test_item_18_a_disk_without_room_is_said_before_anything_is_written(
    desk: ExportDesk, tmp_path: Path
) -> None:
    cut = desk.all_key_frames(seconds=8)
    assert cut.stat().st_size > 384 << 10
    with tiny_disk(tmp_path / "small", kib=384) as folder:
        answer = desk.export(clip(cut, 0, 8), clip(cut, 0, 0.04, name="b"), output_dir=str(folder))
        assert codes(answer) == [(0, "disk_full")]
        assert re.search(
            r"needs about [\d.]+ MB, and the disk .* has 0\.\d MB left",
            answer["failed"][0]["error"],
        )
        assert [path.name for path in folder.iterdir()] == ["b.mov"]


def test_item_18_a_read_only_folder_fails_each_clip_with_the_reason(
    desk: ExportDesk, tmp_path: Path
) -> None:
    cut = desk.all_key_frames()
    with tiny_disk(tmp_path / "small", kib=8 << 10) as folder:
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        answer = desk.export(clip(cut, 0, 1), clip(cut, 1, 2), output_dir=str(folder))
        assert codes(answer) == [(0, "not_writable"), (1, "not_writable")]
        assert "read-only file system" in answer["failed"][0]["error"]
        record = desk.client.task(desk.newest_task())
        assert record["status"] == "failed"
        assert record["error"].startswith(f"No clip was exported. {cut}: ")


@pytest.mark.parametrize("kind", ["link", "dangling link", "fifo", "folder"])
def test_item_18_a_target_that_is_a_link_or_special_is_left_alone(
    desk: ExportDesk, kind: str
) -> None:
    cut = desk.all_key_frames()
    target, aim = desk.out / "a.mov", desk.out / "aim"
    if kind == "fifo":
        os.mkfifo(target)
    elif kind == "folder":
        target.mkdir()
    else:
        if kind == "link":
            aim.write_bytes(b"precious")
        target.symlink_to(aim)
    before = desk.names()
    for on_exists in ("number", "error", "skip"):
        answer = desk.export(clip(cut, 0, 1, name="a"), on_exists=on_exists)
        assert codes(answer) == [(0, "exists")]
        assert "is there already" in answer["failed"][0]["error"]
    assert desk.names() == before
    if kind == "link":
        assert aim.read_bytes() == b"precious"


def test_item_18_a_source_is_never_written_to(desk: ExportDesk) -> None:
    cut = desk.all_key_frames("cut.mov")
    before = cut.read_bytes()
    (desk.media / "link.mov").symlink_to(cut)
    os.link(cut, desk.media / "same.mov")
    answer = desk.export(
        *(clip(cut, 0, 1, name=name) for name in ("cut", "same", "link")),
        output_dir=str(desk.media),
    )
    made = [os.path.basename(one["output_path"]) for one in answer["exported"]]
    assert made == ["cut (2).mov", "same (2).mov"]
    assert codes(answer) == [(2, "exists")]
    assert cut.read_bytes() == before


# Item 13: ranges, over HTTP -----------------------------------------------------------------


@pytest.mark.parametrize("mode", ["auto", "encode"])
def test_item_13_edges_overlaps_and_the_same_clip_twice(desk: ExportDesk, mode: str) -> None:
    film = desk.film(seconds=4)
    ranges = {(0, 1): (0, 25), (3, 4): (75, 100), (0, 4): (0, 100), (2, 2.04): (50, 51)}
    ranges |= {(1, 2): (25, 50), (1.5, 2.5): (37, 63)}
    asked = [*ranges, (1, 2)]
    answer = desk.export(*(clip(film, *one, name="a") for one in asked), mode=mode)
    assert answer["failed"] == []
    for one, made in zip(asked, answer["exported"], strict=True):
        first, past = ranges[one]
        assert shown(made["output_path"]) == list(range(first, past)), one
        assert made["frames"] == past - first
    assert len({made["output_path"] for made in answer["exported"]}) == len(asked)


# Item 19: damaged sources -------------------------------------------------------------------


def test_item_19_a_source_that_is_damaged_in_the_middle_stops_no_other(desk: ExportDesk) -> None:
    good, bad, short = (desk.film(f"{name}.mov", 6) for name in ("good", "bad", "short"))
    damage(bad, 0.4, 0.6)
    truncate(short, 0.5)
    for mode in ("auto", "encode"):
        answer = desk.export(
            clip(good, 0, 1), clip(bad, 0, 6), clip(short, 0, 6), clip(good, 1, 2), mode=mode
        )
        assert {0, 3} <= set(exported(answer))
        for made in answer["exported"]:
            if made["index"] == 1 and mode == "encode":  # a copy looks at no picture
                assert any("damaged" in warning for warning in made["warnings"])
                assert made["frames"] == len(shown(made["output_path"]))
        assert all(failed["code"] in ("unreadable", "bad_range") for failed in answer["failed"])
    assert not [name for name in desk.names() if PART.fullmatch(name)]
