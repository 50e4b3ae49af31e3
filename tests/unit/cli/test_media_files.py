"""Which files of what is typed are sent to the server."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from cli.arguments.media_arguments import MediaFiles, listed, media_files
from shared.errors import BadInput
from shared.media import MediaType


@pytest.fixture
def shoot(tmp_path: Path) -> Path:
    """A folder as cards and editors leave it."""
    for name in (
        "b.MOV",
        "a.mov",
        "day1/sound.wav",
        "day1/still.JPG",
        "day1/clip.R3D",
        "day1/readme.txt",
        "day1/._a.mov",
        ".Trashes/gone.mov",
        "cache/frames.jpg",
        "Proxy/a.mov",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
    return tmp_path


def names(found: MediaFiles, folder: Path) -> list[str]:
    return [os.path.relpath(path, folder) for path in found.paths]


def test_a_folder_gives_its_media_sorted_without_hidden_files_and_the_cache(shoot: Path) -> None:
    found = media_files([str(shoot)], cache=str(shoot / "cache"))
    assert names(found, shoot) == [
        "a.mov",
        "b.MOV",
        "Proxy/a.mov",
        "day1/sound.wav",
        "day1/still.JPG",
    ]
    assert found.left_out == {"R3D, which no decoder here reads": 1, "other files": 1}
    assert found.counted() == "5 files (3 video, 1 image, 1 audio), 25 bytes"
    assert found.of(MediaType.AUDIO) == [str(shoot / "day1/sound.wav")]


@pytest.mark.parametrize(
    ("glob", "left"),
    [
        ("*.mov", ["day1/sound.wav", "day1/still.JPG"]),
        ("proxy", ["a.mov", "b.MOV", "day1/sound.wav", "day1/still.JPG"]),
        ("day1/*", ["a.mov", "b.MOV", "Proxy/a.mov"]),
        ("DAY1/S*.wav", ["a.mov", "b.MOV", "Proxy/a.mov", "day1/still.JPG"]),
    ],
)
def test_a_glob_leaves_out_names_and_paths_in_any_case(shoot: Path, glob: str, left: list[str]):
    found = media_files([str(shoot)], [glob], str(shoot / "cache"))
    assert names(found, shoot) == left


def test_a_file_named_twice_counts_once_and_a_hidden_one_that_is_named_counts(shoot: Path) -> None:
    given = [str(shoot / "a.mov"), str(shoot), str(shoot / ".Trashes" / "gone.mov")]
    found = media_files(given, cache=str(shoot / "cache"))
    assert len(found.paths) == 6
    assert found.total_bytes == 30


def test_links_to_folders_are_not_followed(shoot: Path) -> None:
    (shoot / "day1" / "again").symlink_to(shoot)
    assert len(media_files([str(shoot)], cache=str(shoot / "cache")).paths) == 5


def test_paths_that_this_machine_does_not_see_are_taken_for_the_servers() -> None:
    given = [r"Z:\day 1\a.mov", r"\\nas\share\b.wav", "/Volumes/elsewhere/c.png"]
    found = media_files(given)
    assert list(found.paths) == given
    assert found.counted() == "3 files (1 video, 1 image, 1 audio)"


@pytest.mark.parametrize("path", ["/nowhere/day1", r"Z:\day1", "Z:/day1/notes.txt"])
def test_what_is_neither_here_nor_media_by_its_name_is_refused(path: str) -> None:
    with pytest.raises(BadInput, match="nor a media file by its name"):
        media_files([path])


def test_a_name_that_is_not_utf8_is_left_out(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.mov")).touch()
    found = media_files([str(tmp_path)])
    assert not found.paths
    assert found.left_out == {"files whose names are not UTF-8": 1}


@pytest.mark.parametrize(
    ("text", "is_nul_separated", "paths"),
    [
        (b"a b.mov\nc.mov", False, ["a b.mov", "c.mov"]),
        (b"a.mov\r\n\r\nc.mov\r\n", False, ["a.mov", "c.mov"]),
        (b"a\n.mov\0c\r.mov\0", True, ["a\n.mov", "c\r.mov"]),
    ],
)
def test_a_list_may_come_from_windows_or_hold_line_ends_in_names(
    monkeypatch: pytest.MonkeyPatch, text: bytes, is_nul_separated: bool, paths: list[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert list(listed(["-"], is_nul_separated)) == paths
