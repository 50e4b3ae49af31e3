"""Opening while names, disks and leases move: only what lies inside is found, and that always."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from shared import opening
from shared.errors import NotAllowed
from shared.opening import open_drop_folder, open_file, open_folder
from shared.paths import Roots

NOBODY = 65534


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    for name in ("one", "outside"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(name.encode())
    return Roots("RUSHES_MEDIA_ROOTS", (tmp_path / "one",), tmp_path / "state")


def test_a_file_that_is_replaced_all_the_time_is_always_there(tmp_path: Path, roots: Roots) -> None:
    program = (
        "import os, sys\n"
        "while True:\n"
        "    with open(sys.argv[1] + '.new', 'wb') as file: file.write(b'one')\n"
        "    os.replace(sys.argv[1] + '.new', sys.argv[1])\n"
    )
    path = str(tmp_path / "one" / "file")
    writer = subprocess.Popen([sys.executable, "-c", program, path])
    try:
        for _ in range(60_000):
            open_file(path, roots).close()
        assert writer.poll() is None
    finally:
        writer.kill()
        writer.wait()


def test_folders_are_made_below_a_relative_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_folder("a/b", Roots.only(tmp_path), create=True) as folder:
        assert folder.names() == []
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize("target", ["file", "nothing", "file/below", "nothing/below"])
def test_what_is_outside_cannot_be_told_by_making_folders(
    tmp_path: Path, roots: Roots, target: str
) -> None:
    (tmp_path / "one" / "link").symlink_to(tmp_path / "outside" / target)
    for path in (f"{tmp_path}/one/link", f"{tmp_path}/one/link/new"):
        with pytest.raises(NotAllowed, match="leads outside"):
            open_folder(path, roots, create=True)


def test_a_disk_that_was_taken_away_is_no_way_out(tmp_path: Path, roots: Roots) -> None:
    below = tmp_path / "one" / "disk"
    below.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", below], check=True)
    try:
        (below / "film").write_bytes(b"film")
        (below / "out").symlink_to(tmp_path / "outside" / "file")
        folder = open_folder(str(below), roots)
    finally:
        subprocess.run(["umount", "-l", below], check=True)
    with folder:
        for name in ("film", "nothing"):
            with pytest.raises(OSError, match="Stale") as found:
                folder.open(name)
            assert found.value.errno == errno.ESTALE
        with pytest.raises(NotAllowed):
            folder.open("out")


def test_a_folder_that_nobody_may_list_takes_files(tmp_path: Path, roots: Roots) -> None:
    drop = tmp_path / "one" / "drop"
    drop.mkdir()
    drop.chmod(0o333)
    tmp_path.chmod(0o755)
    for above in tmp_path.parents:
        if above.owner() == tmp_path.owner() and above != Path("/"):
            above.chmod(above.stat().st_mode | 0o011)

    def put() -> None:
        with open_drop_folder(str(drop), roots) as folder:
            os.close(folder.create("part"))
            folder.rename("part", "clip")
            with pytest.raises(PermissionError):
                folder.names()

    as_nobody(put)
    assert os.listdir(drop) == ["clip"]


def as_nobody(act: Callable[[], None]) -> None:
    """In a process without root's rights."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            act()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_lease_is_waited_for_and_then_named(
    tmp_path: Path, roots: Roots, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "one" / "file")
    program = (
        "import fcntl, os, signal, sys\n"
        "signal.signal(signal.SIGIO, signal.SIG_IGN)\n"
        "fd = os.open(sys.argv[1], os.O_RDWR)\n"
        "fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)\n"
        "print(flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdin
        process.stdout.readline()
        monkeypatch.setattr(opening, "_LEASE_WAIT_S", 0.2)
        with pytest.raises(OSError, match="another program holds it for a moment; try again"):
            open_file(path, roots)
        monkeypatch.undo()
        threading.Timer(0.5, process.stdin.close).start()
        open_file(path, roots).close()


def test_a_root_that_is_a_link_is_followed_once_for_many_files(
    tmp_path: Path, roots: Roots, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "alias").symlink_to(tmp_path / "one")
    aliased = Roots("RUSHES_MEDIA_ROOTS", (tmp_path / "alias",), tmp_path / "state")
    open_file(f"{tmp_path}/alias/file", aliased).close()
    monkeypatch.setattr(os.path, "realpath", None)
    for _ in range(3):
        open_file(f"{tmp_path}/alias/file", aliased).close()
        with pytest.raises(FileNotFoundError):
            open_file(f"{tmp_path}/alias/nothing", aliased)


def test_a_root_in_another_spelling_is_the_one_that_is_there(
    tmp_path: Path, roots: Roots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk whose names have no case: the descriptor says how the folder is called there."""
    real = os.open

    def without_case(path: str, *words: int, **more: int | None) -> int:
        return real(str(path).replace("/ONE", "/one"), *words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", without_case)
    spelt = Roots("RUSHES_MEDIA_ROOTS", (tmp_path / "ONE",), tmp_path / "state")
    open_file(f"{tmp_path}/ONE/file", spelt).close()
    with pytest.raises(NotAllowed):
        open_file(f"{tmp_path}/outside/file", spelt)
