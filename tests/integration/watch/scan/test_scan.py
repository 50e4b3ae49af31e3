"""What a scan of a watched folder finds, and what it can say about what it does not find."""

from __future__ import annotations

import os
import shutil
import socket
import unicodedata
from pathlib import Path

import pytest

from shared.paths import Roots
from tests.support.system.tiny_disk import tiny_disk
from tests.support.watch.watched import clip, names, nothing, scanner_of, watched
from workers.presence.root_identity import Unreachable


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def test_media_and_unsupported_files_are_found_with_size_and_time(root: Path) -> None:
    clip(root / "a.mov", 7)
    clip(root / "day 1" / "deep" / "b.R3D", 5)
    clip(root / "day 1" / "a.xmp")
    clip(root / ".hidden" / "c.mov")
    clip(root / "._a.mov")
    scan = scanner_of(watched(root)).scan(nothing)
    assert names(scan, root) == ["a.mov", "day 1/deep/b.R3D"]
    found = scan.files[str(root / "a.mov")]
    assert (found.size, found.mtime_ns) == (7, (root / "a.mov").stat().st_mtime_ns)
    assert set(scan.folders) == {str(root), str(root / "day 1"), str(root / "day 1" / "deep")}


def test_only_the_folder_itself_is_scanned_when_it_is_not_recursive(root: Path) -> None:
    clip(root / "a.mov")
    clip(root / "sub" / "b.mov")
    scanner = scanner_of(watched(root, recursive=False))
    assert names(scanner.scan(nothing), root) == ["a.mov"]
    assert names(scanner.look([str(root), str(root / "sub")], nothing), root) == ["a.mov"]


def test_empty_files_are_found_and_what_is_no_file_is_not(root: Path) -> None:
    clip(root / "empty.mov", 0)
    (root / "folder.mov").mkdir()
    os.mkfifo(root / "pipe.mov")
    (root / "broken.mov").symlink_to("nowhere.mov")
    (root / "round.mov").symlink_to("round.mov")
    (root / "device.mov").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "s.mov"))
        scan = scanner_of(watched(root)).scan(nothing)
    assert names(scan, root) == ["empty.mov"]
    assert scan.problems == {}


def test_names_are_those_on_the_disk(root: Path) -> None:
    forms = [unicodedata.normalize(form, "café.mov") for form in ("NFC", "NFD")]
    for name in forms:
        clip(root / name)
    undecodable = os.path.join(os.fsencode(root), b"caf\xe9.mov")
    Path(os.fsdecode(undecodable)).write_bytes(b"x")
    scan = scanner_of(watched(root)).scan(nothing)
    assert names(scan, root) == sorted([*forms, "caf\udce9.mov"])


def test_links_to_files_and_folders_are_followed(root: Path, tmp_path: Path) -> None:
    clip(tmp_path / "elsewhere" / "a.mov", 9)
    clip(tmp_path / "other.mov", 4)
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "b.mov").symlink_to(tmp_path / "other.mov")
    scan = scanner_of(watched(root)).scan(nothing)
    assert names(scan, root) == ["b.mov", "linked/a.mov"]
    assert scan.files[str(root / "b.mov")].size == 4


def test_links_out_of_the_roots_are_not_followed(root: Path, tmp_path: Path) -> None:
    clip(tmp_path / "private" / "a.mov")
    clip(tmp_path / "state" / "b.mov")
    (root / "folder").symlink_to(tmp_path / "private")
    (root / "file.mov").symlink_to(tmp_path / "private" / "a.mov")
    (root / "state").symlink_to(tmp_path / "state")
    roots = Roots("RUSHES_MEDIA_ROOTS", (root,), tmp_path / "state")
    assert names(scanner_of(watched(root), roots).scan(nothing), root) == []


def test_a_directory_is_scanned_once_under_its_real_name(root: Path) -> None:
    clip(root / "m" / "a.mov")
    for link in ("a", "z"):
        (root / link).symlink_to(root / "m")
    (root / "m" / "up").symlink_to(root)
    (root / "m" / "self").symlink_to(".")
    assert names(scanner_of(watched(root)).scan(nothing), root) == ["m/a.mov"]


def test_two_links_to_one_place_are_one(root: Path, tmp_path: Path) -> None:
    clip(tmp_path / "elsewhere" / "sub" / "a.mov")
    (root / "b").symlink_to(tmp_path / "elsewhere")
    (root / "a").symlink_to(tmp_path / "elsewhere")
    assert names(scanner_of(watched(root)).scan(nothing), root) == ["a/sub/a.mov"]


def test_cache_folders_are_never_entered(root: Path, tmp_path: Path) -> None:
    clip(root / "cache" / "media" / "frame.jpg")
    clip(root / "of another" / "rushes.json")
    clip(root / "of another" / "media" / "frame.jpg")
    clip(root / "media" / "a.mov")
    (root / "to cache").symlink_to(root / "cache" / "media")
    (tmp_path / "by link").symlink_to(root)
    scanner = scanner_of(watched(root, cache_dir=tmp_path / "by link" / "cache"))
    assert names(scanner.scan(nothing), root) == ["media/a.mov"]
    inside = [root / "cache" / "media", root / "of another" / "media"]
    assert names(scanner.look(map(str, inside), nothing), root) == []


def test_a_sequence_of_stills_is_one_item(root: Path) -> None:
    for number in range(1, 31):
        clip(root / "shot" / f"a.{number:04}.dpx")
        clip(root / "shot" / f"clip{number:02}.mov")
    clip(root / "shot" / "poster.jpg")
    scan = scanner_of(watched(root)).scan(nothing)
    assert scan.sequences == {str(root / "shot" / "a.[0001-0030].dpx"): 30}
    assert len(scan.files) == 31
    assert str(root / "shot" / "poster.jpg") in scan.files
    as_stills = scanner_of(watched(root, image_sequences="stills")).scan(nothing)
    assert (len(as_stills.files), as_stills.sequences) == (61, {})


def test_raw_frames_are_a_sequence_too(root: Path) -> None:
    for number in range(24):
        clip(root / f"A003.{number:07}.ari")
    scan = scanner_of(watched(root)).scan(nothing)
    assert scan.sequences == {str(root / "A003.[0000000-0000023].ari"): 24}


def test_a_scan_covers_what_has_gone(root: Path) -> None:
    clip(root / "a" / "b" / "c.mov")
    scan = scanner_of(watched(root)).scan(nothing)
    for path in ("gone.mov", "a/b/gone.mov", "a/gone/x.mov", "gone/deep/x.mov"):
        assert scan.covers(str(root / path))
    assert not scan.covers(str(root.parent / "x.mov"))


def test_a_look_lists_what_it_is_told_and_what_is_new(root: Path) -> None:
    clip(root / "a" / "known" / "1.mov")
    scanner = scanner_of(watched(root))
    scanner.scan(nothing)
    clip(root / "a" / "known" / "2.mov")
    clip(root / "a" / "new" / "deep" / "3.mov")
    clip(root / "b" / "4.mov")
    scan = scanner.look([str(root / "a")], nothing)
    assert names(scan, root) == ["a/new/deep/3.mov"]
    assert not scan.covers(str(root / "a" / "known" / "1.mov"))
    assert not scan.covers(str(root / "c.mov"))
    assert scan.covers(str(root / "a" / "x.mov"))
    assert scan.covers(str(root / "a" / "new" / "x.mov"))


def test_a_look_at_a_new_directory_finds_those_above_it(root: Path) -> None:
    scanner = scanner_of(watched(root))
    scanner.scan(nothing)
    clip(root / "x" / "y" / "z" / "1.mov")
    assert names(scanner.look([str(root / "x" / "y" / "z")], nothing), root) == ["x/y/z/1.mov"]
    assert scanner.look([str(root / ".hidden")], nothing).files == {}


def test_a_directory_that_has_gone_covers_all_below_it(root: Path) -> None:
    clip(root / "a" / "b" / "1.mov")
    clip(root / "a" / "2.mov")
    scanner = scanner_of(watched(root))
    scanner.scan(nothing)
    shutil.rmtree(root / "a")
    scan = scanner.look([str(root / "a" / "b")], nothing)
    assert scan.covers(str(root / "a" / "b" / "1.mov"))
    assert not scan.covers(str(root / "a" / "2.mov"))
    assert scanner.look([str(root / "a")], nothing).covers(str(root / "a" / "2.mov"))
    assert str(root / "a") not in scanner.changed_folders()


def test_a_renamed_directory_is_found_under_its_new_name(root: Path) -> None:
    clip(root / "old" / "sub" / "1.mov")
    scanner = scanner_of(watched(root))
    scanner.scan(nothing)
    (root / "old").rename(root / "new")
    scan = scanner.look([str(root)], nothing)
    assert names(scan, root) == ["new/sub/1.mov"]
    assert scan.covers(str(root / "old" / "sub" / "1.mov"))
    (root / "new").rename(root / "NEW")
    assert names(scanner.look([str(root)], nothing), root) == ["NEW/sub/1.mov"]


def test_directories_tell_by_their_time_that_they_have_changed(root: Path) -> None:
    clip(root / "a" / "1.mov")
    clip(root / "b" / "1.mov")
    scanner = scanner_of(watched(root))
    scanner.scan(nothing)
    scanner.look(scanner.changed_folders(), nothing)  # new ones are looked at twice
    assert scanner.changed_folders() == []
    clip(root / "a" / "2.mov")
    assert scanner.changed_folders() == [str(root / "a")]
    assert scanner.changed_folders() == [str(root / "a")]
    scanner.look([str(root / "a")], nothing)
    assert scanner.changed_folders() == [str(root / "a")], "a coarse time may hide a change"
    scanner.look([str(root / "a")], nothing)
    assert scanner.changed_folders() == []


def test_a_checkpoint_that_raises_ends_the_scan(root: Path) -> None:
    clip(root / "a.mov")

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        scanner_of(watched(root)).scan(stop)


def test_a_root_that_is_not_there_is_unreachable(root: Path) -> None:
    scanner = scanner_of(watched(root))
    scanner.scan(nothing)
    root.rename(root.parent / "renamed")
    for look in (
        lambda: scanner.scan(nothing),
        lambda: scanner.look([str(root)], nothing),
        lambda: scanner.changed_folders(),
    ):
        with pytest.raises(Unreachable, match="is missing"):
            look()
    root.write_bytes(b"")
    with pytest.raises(Unreachable, match="is not a folder"):
        scanner.scan(nothing)


def test_a_disk_unmounted_within_the_folder_forgets_nothing(root: Path) -> None:
    scanner = scanner_of(watched(root))
    with tiny_disk(root / "disk"):
        clip(root / "disk" / "sub" / "1.mov")
        assert names(scanner.scan(nothing), root) == ["disk/sub/1.mov"]
    known = str(root / "disk" / "sub" / "1.mov")
    for scan in (
        scanner.look([str(root / "disk" / "sub")], nothing),
        scanner.look([str(root / "disk")], nothing),
        scanner.scan(nothing),
        scanner.scan(nothing),
    ):
        assert any("no longer mounted" in problem for problem in scan.problems.values())
        assert not scan.covers(known)
    clip(root / "disk" / "2.mov")
    scan = scanner.scan(nothing)
    assert names(scan, root) == ["disk/2.mov"], "what is there now counts"
    assert scan.covers(known)
