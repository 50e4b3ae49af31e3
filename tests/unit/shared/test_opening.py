"""Opening what somebody else may have put there: inside the roots, regular, without waiting."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared.errors import NotAllowed
from shared.opening import RootedPath, open_file, open_folder
from shared.paths import Roots
from shared.unusable_files import NotRegularFile, OversizedFile


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    for name in ("one", "two", "state", "outside"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(name.encode())
    folders = (tmp_path / "one", tmp_path / "two")
    return Roots("RUSHES_MEDIA_ROOTS", folders, tmp_path / "state")


def test_a_file_is_read_whole_and_again(tmp_path: Path, roots: Roots) -> None:
    with open_file(f"{tmp_path}/one/file", roots) as file:
        assert file.read(100) == b"one"
        with file.reader() as first:
            assert first.read() == b"one"
        with file.reader() as again, open(file.place, "rb") as other:
            assert again.read() == other.read() == b"one"


def test_links_inside_a_root_between_roots_and_to_a_root_work(tmp_path: Path, roots: Roots) -> None:
    (tmp_path / "one" / "across").symlink_to(tmp_path / "two", target_is_directory=True)
    (tmp_path / "alias").symlink_to(tmp_path / "one", target_is_directory=True)
    aliased = Roots("RUSHES_MEDIA_ROOTS", (tmp_path / "alias",), tmp_path / "state")
    with open_file(f"{tmp_path}/one/across/file", roots) as file:
        assert file.read(9) == b"two"
    with open_file(f"{tmp_path}/alias/file", aliased) as file:
        assert file.read(9) == b"one"


@pytest.mark.parametrize("target", ["outside/file", "outside/nothing", "state/file", "state/nil"])
def test_a_link_out_of_the_roots_says_the_same_whatever_is_there(
    tmp_path: Path, roots: Roots, target: str
) -> None:
    (tmp_path / "one" / "link").symlink_to(tmp_path / target)
    (tmp_path / "one" / "folder").symlink_to(tmp_path / Path(target).parent)
    for path in (f"{tmp_path}/one/link", f"{tmp_path}/one/folder/{Path(target).name}"):
        with pytest.raises(NotAllowed, match="leads"):
            open_file(path, roots)


def test_a_pipe_a_socket_a_device_and_a_folder_are_refused_at_once(
    tmp_path: Path, roots: Roots
) -> None:
    pipe = tmp_path / "one" / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(NotRegularFile):
        open_file(str(pipe), roots)
    with pytest.raises(NotRegularFile):
        open_file("/dev/zero", Roots("X", None, tmp_path / "state"))
    with pytest.raises(IsADirectoryError):
        open_file(f"{tmp_path}/one", roots)
    with pytest.raises(NotADirectoryError):
        open_folder(f"{tmp_path}/one/file", roots)
    with pytest.raises(NotADirectoryError):
        open_folder(str(pipe), roots)


def test_a_file_may_be_as_large_as_its_kind_and_no_larger(tmp_path: Path, roots: Roots) -> None:
    path = RootedPath.of(tmp_path / "one", roots) / "large"
    with open(str(path), "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OversizedFile, match="1,000 bytes"):
        path.read(1000)
    os.truncate(str(path), 1000)
    assert len(path.read(1000)) == 1000


def test_what_is_made_stays_in_the_folder_that_was_opened(tmp_path: Path, roots: Roots) -> None:
    with open_folder(f"{tmp_path}/one/a/b", roots, create=True) as folder:
        (tmp_path / "one" / "a").rename(tmp_path / "two" / "moved")
        (tmp_path / "one" / "a").symlink_to(tmp_path / "outside")
        fd = folder.create("new")
        os.close(fd)
        folder.link("new", "second")
        folder.rename("new", "first")
        assert sorted(entry.name for entry in folder.entries()) == ["first", "second"]
        folder.remove("second")
        assert folder.status("first").st_size == 0
    assert os.listdir(tmp_path / "two" / "moved" / "b") == ["first"]
    assert os.listdir(tmp_path / "outside") == ["file"]


def test_no_folder_is_made_outside_the_roots(tmp_path: Path, roots: Roots) -> None:
    (tmp_path / "one" / "out").symlink_to(tmp_path / "outside")
    with pytest.raises(NotAllowed):
        open_folder(f"{tmp_path}/one/out/new", roots, create=True)
    assert os.listdir(tmp_path / "outside") == ["file"]


def test_a_root_that_is_not_there_yet_is_made(tmp_path: Path) -> None:
    roots = Roots("RUSHES_CACHE_ROOTS", (tmp_path / "a" / "root",), tmp_path / "state")
    with open_folder(f"{tmp_path}/a/root/cache", roots, create=True) as folder:
        assert folder.entries() == []


def test_a_name_in_a_folder_is_never_written_through_a_link(tmp_path: Path, roots: Roots) -> None:
    (tmp_path / "one" / "log").symlink_to(tmp_path / "outside" / "file")
    with open_folder(f"{tmp_path}/one", roots) as folder:
        with pytest.raises(NotAllowed):
            folder.append("log")
        with pytest.raises(FileExistsError):
            folder.create("log")
        with pytest.raises(NotAllowed):
            folder.open("log")
