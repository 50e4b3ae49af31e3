"""Paths, times and addresses as they are typed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.api_client import ApiClient
from cli.arguments.media_arguments import NewFiles, cache_dir, pure_path, seconds, server_path
from cli.commands.search import common_folder
from shared.errors import BadInput, ExportError
from shared.printable import printable


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("75", 75), ("75.5", 75.5), ("1:15", 75), ("1:15.25", 75.25), ("01:01:15", 3675), ("0", 0)],
)
def test_times_are_seconds_or_have_colons(typed: str, meant: float) -> None:
    assert seconds(typed) == meant


@pytest.mark.parametrize("typed", ["", "x", "-1", "1:2:3:4", "1::2", "1e3", "00:00:01:12"])
def test_what_is_no_time_is_refused(typed: str) -> None:
    with pytest.raises(BadInput, match="is no time"):
        seconds(typed)


def test_paths_of_this_machine_become_absolute_and_those_of_windows_stay() -> None:
    assert server_path("a.mov") == os.path.abspath("a.mov")
    assert server_path("~/a.mov") == os.path.expanduser("~/a.mov")
    assert server_path(r"Z:\a.mov") == r"Z:\a.mov"
    assert server_path(r"\\nas\a.mov") == r"\\nas\a.mov"
    assert pure_path(r"Z:\day1\a.mov").name == "a.mov"
    assert pure_path("/day1/back\\slash.mov").name == "back\\slash.mov"


def test_a_missing_cache_folder_is_asked_for() -> None:
    with pytest.raises(BadInput, match="--cache DIR"):
        cache_dir("")


@pytest.mark.parametrize(
    ("paths", "folder"),
    [
        (["/a/b/c.mov", "/a/bc.mov"], "/a/"),
        (["/a/b/c.mov"], "/a/b/"),
        ([r"Z:\x\a.mov", r"Z:\x\ab.mov"], "Z:\\x\\"),
        (["/a.mov", r"Z:\a.mov"], ""),
        ([], ""),
    ],
)
def test_the_common_folder_ends_with_a_whole_name(paths: list[str], folder: str) -> None:
    assert common_folder(paths) == folder


@pytest.mark.parametrize("server", ["", "ftp://studio", "http://", "http://studio:x"])
def test_what_is_no_address_is_refused(server: str) -> None:
    with pytest.raises(BadInput, match="no address"):
        ApiClient(server)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("studio:6699/", "http://studio:6699"),
        ("http://studio:6699/api/v1/", "http://studio:6699"),
        ("https://studio/rushes/api/v1/docs", "https://studio/rushes"),
    ],
)
def test_an_address_may_lack_its_scheme_and_name_the_api(typed: str, meant: str) -> None:
    client = ApiClient(typed)
    client.close()
    assert client.url == meant


def test_names_cannot_command_the_terminal() -> None:
    assert printable("a\x1b[2Jb\rc\x9bd\u202e") == r"a\x1b[2Jb\rc\x9bd\u202e"
    assert printable("a\tb\nc ü 映像") == r"a\tb\nc ü 映像"


def test_files_of_one_name_get_longer_ones_and_none_is_overwritten(tmp_path: Path) -> None:
    files = NewFiles(tmp_path / "out", "srt", is_overwriting=False)
    given = ["/a/A001.mov", "/a/A001.wav", r"Z:\b\a001.wav", "/c/A001.wav"]
    written = [files.write(path, path.encode()).name for path in given]
    assert written == ["A001.srt", "A001.wav.srt", "a001.wav (2).srt", "A001.wav (3).srt"]
    with pytest.raises(ExportError, match="--force overwrites it"):
        NewFiles(tmp_path / "out", "srt", is_overwriting=False).write("/x/A001.mov", b"new")
    assert (tmp_path / "out" / "A001.srt").read_bytes() == b"/a/A001.mov"
    NewFiles(tmp_path / "out", "srt", is_overwriting=True).write("/x/A001.mov", b"new")
    assert (tmp_path / "out" / "A001.srt").read_bytes() == b"new"
    (tmp_path / "out" / "folder.srt").mkdir()
    with pytest.raises(ExportError, match="cannot be written"):
        NewFiles(tmp_path / "out", "srt", is_overwriting=True).write("/x/folder.mov", b"new")
    assert len(list((tmp_path / "out").iterdir())) == 5
