"""Files written where a client says: new ones only, whole or not at all, inside the roots."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from shared.errors import BadInput, ExportError, NotAllowed
from shared.exports import writing
from shared.exports.writing import OutputOnExists, part_file, write_output
from shared.opening import OpenedFolder, open_folder
from shared.paths import Roots
from shared.settings import Settings
from tests.support.system.disk_steps import (
    names_of_unsynced_files,
    names_that_may_be_lost,
    record_disk_steps,
)
from tests.support.system.tiny_disk import tiny_disk


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    """Only `out` may be written to."""
    (tmp_path / "out").mkdir()
    settings = Settings.from_env(
        {
            "RUSHES_EXPORT_ROOTS": str(tmp_path / "out"),
            "RUSHES_STATE_DIR": str(tmp_path / "state"),
        }
    )
    return Roots.export(settings)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_name_that_is_taken_gets_a_number_and_nothing_is_overwritten(
    roots: Roots, out: Path
) -> None:
    target = str(out / "a.srt")
    written = [write_output(target, content, roots) for content in (b"1", b"2", b"3")]
    assert written == [target, str(out / "a (2).srt"), str(out / "a (3).srt")]
    assert [Path(path).read_bytes() for path in written] == [b"1", b"2", b"3"]
    assert len(names(out)) == 3
    assert os.stat(target).st_nlink == 1


def test_many_at_once_each_get_a_name_of_their_own(roots: Roots, out: Path) -> None:
    contents = [str(n).encode() for n in range(20)]
    threads = [
        threading.Thread(target=write_output, args=(str(out / "a.srt"), content, roots))
        for content in contents
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.read_bytes() for path in out.iterdir()) == sorted(contents)
    assert len(names(out)) == 20


def test_it_works_the_same_where_there_are_no_hard_links(
    roots: Roots, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_more: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    for content in (b"1", b"2"):
        write_output(str(out / "a.srt"), content, roots)
    assert names(out) == ["a (2).srt", "a.srt"]
    assert (out / "a (2).srt").read_bytes() == b"2"


@pytest.mark.parametrize("on_exists", ["number", "replace"])
@pytest.mark.parametrize("is_taken", [False, True])
def test_a_power_cut_leaves_the_whole_file_under_its_name_or_none(
    roots: Roots,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    on_exists: OutputOnExists,
    is_taken: bool,
) -> None:
    if is_taken:
        (out / "a.srt").write_bytes(b"old")
    steps = record_disk_steps(monkeypatch)
    written = write_output(str(out / "a.srt"), b"new", roots, on_exists=on_exists)
    assert [step.name for step in steps if step.kind == "name"] == [os.path.basename(written)]
    assert names_of_unsynced_files(steps) == []
    assert names_that_may_be_lost(steps) == []


@pytest.mark.parametrize("kind", ["link", "dangling link", "fifo", "folder"])
def test_a_link_or_anything_special_of_that_name_is_refused(
    roots: Roots, out: Path, kind: str
) -> None:
    target = out / "a.srt"
    if kind == "fifo":
        os.mkfifo(target)
    elif kind == "folder":
        target.mkdir()
    else:
        aim = out / "other"
        if kind == "link":
            aim.write_bytes(b"precious")
        target.symlink_to(aim)
    before = names(out)
    with pytest.raises(BadInput, match="is there already and is"):
        write_output(str(target), b"new", roots)
    assert names(out) == before
    if kind == "link":
        assert (out / "other").read_bytes() == b"precious"


def test_a_folder_that_leads_out_of_the_roots_is_refused(
    roots: Roots, out: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (out / "way-out").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotAllowed, match="leads outside the folders in RUSHES_EXPORT_ROOTS"):
        write_output(str(out / "way-out" / "a.srt"), b"new", roots)
    (out / "inside").mkdir()
    (out / "way-in").symlink_to(out / "inside")
    assert write_output(str(out / "way-in" / "a.srt"), b"new", roots) == str(
        out / "way-in" / "a.srt"
    )
    assert (out / "inside" / "a.srt").read_bytes() == b"new"
    assert names(tmp_path / "elsewhere") == []


def test_a_folder_that_is_missing_or_no_folder_is_refused(roots: Roots, out: Path) -> None:
    (out / "file").write_bytes(b"")
    for folder, words in (
        ("missing", "does not exist; make it,"),
        ("file", "is no folder"),
    ):
        with pytest.raises(BadInput, match=words):
            write_output(str(out / folder / "a.srt"), b"new", roots)
    with pytest.raises(BadInput, match="output_path is longer than the file system allows"):
        write_output(str(out / ("x" * 300)), b"new", roots)
    with pytest.raises(BadInput, match="output_path: the file name holds a control character"):
        write_output(str(out / "a\nb.srt"), b"new", roots)
    with pytest.raises(BadInput, match="output_path holds half a character"):
        write_output(str(out / "a\ud800"), b"new", roots)


def test_a_full_disk_is_said_clearly_and_leaves_nothing(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "small", kib=256) as folder:
        roots = Roots.export(Settings.from_env({"RUSHES_STATE_DIR": str(tmp_path / "state")}))
        with pytest.raises(ExportError, match=r"The disk that holds .*small is full"):
            write_output(str(folder / "a.pdf"), b"x" * (1 << 20), roots)
        assert names(folder) == []
        assert write_output(str(folder / "a.pdf"), b"x", roots) == str(folder / "a.pdf")


def test_a_read_only_folder_is_said_clearly(
    roots: Roots, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, words in ((errno.EACCES, "no permission"), (errno.EROFS, "read-only file system")):

        def refuse(*_args: object, number: int = number, **_more: object) -> int:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(writing.os, "open", refuse)
            with pytest.raises(ExportError, match=words):
                write_output(str(out / "a.srt"), b"new", roots)
    assert names(out) == []


def test_a_file_that_is_not_placed_is_gone_and_was_never_seen_under_its_name(
    roots: Roots, out: Path
) -> None:
    with open_folder(str(out), roots) as folder:
        with part_file(folder, "a.mov") as part:
            part.file.write(b"half")
            assert part.part != "a.mov"
            assert names(out) == [part.part]
        assert names(out) == []
        with pytest.raises(KeyboardInterrupt), part_file(folder, "a.mov"):
            raise KeyboardInterrupt
        assert names(out) == []


def test_a_file_that_has_its_name_is_made_though_its_other_name_stays(
    roots: Roots, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: OpenedFolder, name: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), name)

    monkeypatch.setattr(OpenedFolder, "remove", refuse)
    assert write_output(str(out / "a.srt"), b"1", roots) == str(out / "a.srt")
    assert (out / "a.srt").read_bytes() == b"1"


def test_a_file_is_replaced_in_one_step_or_refused_as_asked(out: Path, roots: Roots) -> None:
    target = out / "a.srt"
    target.write_bytes(b"old")
    with pytest.raises(BadInput, match="is there already"):
        write_output(str(target), b"new", roots, on_exists="refuse")
    assert target.read_bytes() == b"old"
    assert write_output(str(target), b"new", roots, on_exists="replace") == str(target)
    assert (target.read_bytes(), names(out)) == (b"new", ["a.srt"])
    assert write_output(str(out / "b.srt"), b"b", roots, on_exists="refuse") == str(out / "b.srt")


def test_a_link_is_never_replaced(out: Path, roots: Roots, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.srt").write_bytes(b"precious")
    (out / "a.srt").symlink_to(tmp_path / "elsewhere" / "a.srt")
    with pytest.raises(BadInput, match="symbolic link"):
        write_output(str(out / "a.srt"), b"new", roots, on_exists="replace")
    assert (tmp_path / "elsewhere" / "a.srt").read_bytes() == b"precious"


def test_folders_are_made_inside_the_roots_alone(out: Path, roots: Roots, tmp_path: Path) -> None:
    target = out / "day 1" / "selects" / "a.srt"
    with pytest.raises(BadInput, match="create_dir: true"):
        write_output(str(target), b"new", roots)
    assert write_output(str(target), b"new", roots, create_dir=True) == str(target)
    outside = tmp_path / "outside" / "a.srt"
    with pytest.raises(NotAllowed):
        write_output(str(outside), b"new", roots, create_dir=True)
    assert not outside.parent.exists()


def test_nothing_is_replaced_in_a_cache_folder(out: Path, roots: Roots) -> None:
    (out / "cache" / "media").mkdir(parents=True)
    for path in (out / "cache" / "rushes.json", out / "cache" / "media" / "manifest.json"):
        path.write_bytes(b"{}")
        with pytest.raises(BadInput, match="is a cache folder"):
            write_output(str(path), b"new", roots, on_exists="replace")
        assert path.read_bytes() == b"{}"
