"""Where media lie for the editing system."""

from __future__ import annotations

import pytest

from api.exports.timelines.sources import editors_path, path_map, pathurl
from shared.errors import BadInput
from tests.support.exports.timeline_data import asked, film, timeline, xmeml_of


@pytest.mark.parametrize(
    ("path", "url"),
    [
        (
            "/Volumes/My Disk/a b&c#1%.mov",
            "file://localhost/Volumes/My%20Disk/a%20b%26c%231%25.mov",
        ),
        ("C:\\Media\\Ü 1.mp4", "file://localhost/C%3a/Media/%C3%9C%201.mp4"),
        ("C:/Media/a.mp4", "file://localhost/C%3a/Media/a.mp4"),
        ("\\\\nas01\\share\\x y.mxf", "file://nas01/share/x%20y.mxf"),
    ],
)
def test_checklist_08_urls_of_every_system(path: str, url: str) -> None:
    assert pathurl(path) == url


def test_checklist_08_other_beginnings_can_be_asked_for() -> None:
    path = "/Volumes/a b.mov"
    assert pathurl(path, "empty_host") == "file:///Volumes/a%20b.mov"
    assert pathurl(path, "double_slash") == "file://localhost//Volumes/a%20b.mov"
    assert pathurl("Z:\\a.mov", "empty_host") == "file:///Z:/a.mov"
    assert pathurl("\\\\nas\\s\\a.mov", "double_slash") == "file://localhost//nas/s/a.mov"


@pytest.mark.parametrize(
    ("pairs", "path", "mapped"),
    [
        ([("/mnt/nas", "Z:/")], "/mnt/nas/day 1/a.mov", "Z:/day 1/a.mov"),
        ([("/mnt/nas", "Z:")], "/mnt/nas/day 1/a.mov", "Z:\\day 1\\a.mov"),
        ([("/mnt/nas/", "\\\\nas\\share\\")], "/mnt/nas/a.mov", "\\\\nas\\share\\a.mov"),
        ([("/mnt", "/a"), ("/mnt/nas", "/b"), ("/mnt/n", "/c")], "/mnt/nas/a.mov", "/b/a.mov"),
        ([("/mnt/nas", "/b")], "/mnt/nas2/a.mov", "/mnt/nas2/a.mov"),
        ([("c:\\media", "/Volumes/m")], "C:\\Media\\x\\a.mov", "/Volumes/m/x/a.mov"),
        ([("/", "/Volumes/x")], "/a.mov", "/Volumes/x/a.mov"),
        ([], "/m/../n//a.mov", "/n/a.mov"),
        ([], "C:\\m\\..\\a.mov", "C:\\a.mov"),
    ],
)
def test_checklist_08_the_longest_prefix_of_whole_folders_wins(
    pairs: list[tuple[str, str]], path: str, mapped: str
) -> None:
    assert editors_path(path, path, path_map(pairs)) == mapped


def test_a_share_with_plain_slashes_stays_one_unless_the_server_opens_it_as_a_path() -> None:
    share = "//nas/share/a.mov"
    assert editors_path(share, "/mnt/a.mov", path_map([])) == "\\\\nas\\share\\a.mov"
    assert editors_path(share, "/nas/share/a.mov", path_map([])) == "/nas/share/a.mov"


@pytest.mark.parametrize("pair", [("mnt", "/a"), ("/a", "Volumes"), ("/a\x00", "/b")])
def test_folders_that_are_not_absolute_are_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(BadInput, match=r"path_map\[1\]"):
        path_map([("/a", "/b"), pair])


def test_checklist_08_windows_files_have_their_own_name_on_every_server() -> None:
    root = xmeml_of(timeline(asked(film("C:\\Media\\Ü 1.mp4")))[0])
    assert root.find(".//file/name").text == "Ü 1.mp4"
