"""Whether a root is there, is the one that it was, and gives I/O errors."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.support.skip_or_fail import skip_or_fail
from tests.support.system.faulty_disk import FaultyDisk, faulty_disk
from tests.support.system.tiny_disk import tiny_disk
from tests.support.watch.watched import clip, names, nothing, scanner_of, watched
from workers.presence import root_identity
from workers.presence.root_identity import (
    RootIdentity,
    Unreachable,
    identity_of,
    is_same_root,
    needs_polling,
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FaultyDisk]:
    clip(tmp_path / "source" / "a" / "1.mov")
    clip(tmp_path / "source" / "b" / "2.mov")
    with faulty_disk(tmp_path / "source", tmp_path / "root") as disk:
        yield disk


def test_a_folder_is_the_same_place_for_as_long_as_it_is_there(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    first = identity_of(str(root))
    clip(root / "a.mov")
    root.rename(tmp_path / "away")
    with pytest.raises(Unreachable, match=r"is missing; is its disk or share connected\?"):
        identity_of(str(root))
    (tmp_path / "away").rename(root)
    assert is_same_root(first, identity_of(str(root)))
    assert msgspec.json.decode(msgspec.json.encode(first), type=RootIdentity) == first


def test_another_folder_under_the_same_name_is_another_place(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    first = identity_of(str(root))
    root.rename(tmp_path / "away")
    root.mkdir()
    assert not is_same_root(first, identity_of(str(root)))


def test_a_disk_mounted_over_a_folder_is_another_place(tmp_path: Path) -> None:
    root = tmp_path / "root"
    with tiny_disk(root):
        first = identity_of(str(root))
        assert any(tmp_path.iterdir())
        assert not any(root.iterdir())
    assert not is_same_root(first, identity_of(str(root)))
    root.rmdir()
    with tiny_disk(root):
        assert not is_same_root(first, identity_of(str(root)))


def test_a_bind_mount_is_the_same_place_each_time(tmp_path: Path) -> None:
    source, root = tmp_path / "source", tmp_path / "root"
    clip(source / "a.mov")
    root.mkdir()
    without = identity_of(str(root))
    seen = []
    for _ in range(2):
        command = ["mount", "--bind", str(source), str(root)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
            skip_or_fail("this user may not make bind mounts")
        seen.append(identity_of(str(root)))
        subprocess.run(["umount", str(root)], check=True)
    assert is_same_root(*seen)
    assert not is_same_root(seen[0], without)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (RootIdentity(1, 2, 7), RootIdentity(9, 2, 7), True),  # mounted anew
        (RootIdentity(1, 2, 7), RootIdentity(1, 2, 8), False),  # another disk as /dev/sdb1
        (RootIdentity(1, 2, 7), RootIdentity(1, 3, 7), False),
        (RootIdentity(1, 2), RootIdentity(1, 2), True),
        (RootIdentity(1, 2), RootIdentity(9, 2), False),
        (RootIdentity(1, 2, 0, "nfs4 s:/x"), RootIdentity(9, 2, 0, "nfs4 s:/x"), True),
        (RootIdentity(1, 2, 0, "nfs4 s:/x"), RootIdentity(9, 3, 0, "nfs4 s:/x"), False),
        (RootIdentity(1, 2, 0, "nfs4 s:/x"), RootIdentity(9, 2, 0, "nfs4 s:/y"), False),
        (RootIdentity(1, 2, 0, "fuse.sshfs s:/x"), RootIdentity(9, 3, 0, "fuse.sshfs s:/x"), True),
        (RootIdentity(1, 2, 0, "fuse.sshfs s:/x"), RootIdentity(8, 2, 7), False),
    ],
)
def test_what_makes_a_root_the_same(old: RootIdentity, new: RootIdentity, expected: bool) -> None:
    assert is_same_root(old, new) is expected


def test_a_file_and_what_lies_below_one_are_unreachable(tmp_path: Path) -> None:
    file = clip(tmp_path / "a.mov")
    for path in (file, file / "below"):
        with pytest.raises(Unreachable, match="is not a folder"):
            identity_of(str(path))


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EIO, "cannot be read: Input/output error"),
        (errno.ESTALE, "does not answer: Stale file handle"),
        (errno.EACCES, "has no permission to read"),
        (errno.ETIMEDOUT, "does not answer: Connection timed out"),
    ],
)
def test_a_root_with_errors_is_unreachable(disk: FaultyDisk, number: int, words: str) -> None:
    root = str(disk.mounted)
    scanner = scanner_of(watched(disk.mounted))
    scanner.scan(nothing)
    disk.fail(number, "")
    for look in (
        lambda: identity_of(root),
        lambda: scanner.scan(nothing),
        lambda: scanner.look([root], nothing),
        lambda: scanner.changed_folders(),
    ):
        with pytest.raises(Unreachable) as raised:
            look()
        assert words in raised.value.reason
        assert root in raised.value.reason
    disk.heal()
    assert names(scanner.scan(nothing), disk.mounted) == ["a/1.mov", "b/2.mov"]


def test_a_share_whose_server_is_gone_does_not_answer(disk: FaultyDisk) -> None:
    disk.kill()
    with pytest.raises(Unreachable, match="does not answer: Transport endpoint is not connected"):
        identity_of(str(disk.mounted))


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ESTALE])
def test_a_directory_with_errors_hides_nothing_that_is_known(disk: FaultyDisk, number: int) -> None:
    root = disk.mounted
    scanner = scanner_of(watched(root))
    scanner.scan(nothing)
    disk.fail(number, "a")
    for scan in (scanner.scan(nothing), scanner.look([str(root / "a")], nothing)):
        assert list(scan.problems) == [str(root / "a")]
        assert not scan.covers(str(root / "a" / "1.mov"))
        assert not scan.covers(str(root / "a" / "deep" / "1.mov"))
    assert scanner.scan(nothing).covers(str(root / "b" / "gone.mov"))
    assert str(root / "a") in scanner.changed_folders(), "it is tried again"
    disk.heal()
    scan = scanner.look(scanner.changed_folders(), nothing)
    assert "a/1.mov" in names(scan, root)
    assert scan.covers(str(root / "a" / "gone.mov"))


def test_a_directory_that_fails_from_the_start_is_looked_at_later(disk: FaultyDisk) -> None:
    disk.fail(errno.EIO, "a")
    scanner = scanner_of(watched(disk.mounted))
    assert names(scanner.scan(nothing), disk.mounted) == ["b/2.mov"]
    disk.heal()
    assert "a/1.mov" in names(scanner.look(scanner.changed_folders(), nothing), disk.mounted)


def test_a_file_that_cannot_be_looked_at_has_not_gone(disk: FaultyDisk) -> None:
    disk.fail(errno.EIO, "a/1.mov")
    scan = scanner_of(watched(disk.mounted)).scan(nothing)
    assert names(scan, disk.mounted) == ["b/2.mov"]
    assert not scan.covers(str(disk.mounted / "a" / "1.mov"))
    assert scan.covers(str(disk.mounted / "a" / "2.mov"))


def test_a_file_system_of_someone_else_needs_polling(disk: FaultyDisk, tmp_path: Path) -> None:
    assert needs_polling(str(disk.mounted / "a")) == "fuse"
    assert needs_polling(str(tmp_path)) is None
    assert identity_of(str(disk.mounted)).source == "fuse faulty"
    assert identity_of(str(tmp_path)).source == ""


def test_the_innermost_mount_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mountinfo"
    lines = [
        r"21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
        r"36 21 0:44 / /mnt/my\040share rw master:1 propagate_from:2 - nfs4 server:/a\040b rw",
        r"37 36 8:17 / /mnt/my\040share/usb rw - fuseblk /dev/sdb1 rw",
        r"38 21 0:45 / /mnt/two rw - ext4 /dev/sdc rw",
        r"39 38 0:46 / /mnt/two rw - cifs //server/two rw",
        r"40 21 0:47 / /mnt/ssh rw - fuse.sshfs host:/x rw",
        r"not a mount",
    ]
    mounts.write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(root_identity, "_MOUNTS", mounts)
    expected = {
        "/": None,
        "/mnt/my share": "nfs4",
        "/mnt/my share/x": "nfs4",
        "/mnt/my shares": None,
        "/mnt/my share/usb/x": None,
        "/mnt/two/x": "cifs",
        "/mnt/ssh": "fuse.sshfs",
    }
    assert {path: needs_polling(path) for path in expected} == expected
    mounts.unlink()
    assert needs_polling("/mnt/ssh") is None


def test_a_path_that_is_no_utf_8_can_be_named(tmp_path: Path) -> None:
    path = os.path.join(str(tmp_path), "caf\udce9")
    with pytest.raises(Unreachable) as raised:
        identity_of(path)
    raised.value.reason.encode()
