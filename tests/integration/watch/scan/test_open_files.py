"""Files that a process holds open for writing are seen, whatever they are called by then."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.watch.watched import clip
from workers.watcher.folder import admission
from workers.watcher.folder.admission import open_for_writing

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc")


@contextmanager
def opened(path: Path, mode: str) -> Iterator[None]:
    """Open in another process."""
    code = "import sys; file = open(sys.argv[1], sys.argv[2]); print('open', flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path), mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        yield
        process.kill()


def key(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


@pytest.mark.parametrize("mode", ["ab", "r+b", "wb"])
def test_a_file_open_for_writing_is_found(tmp_path: Path, mode: str) -> None:
    written, other = clip(tmp_path / "a.mov"), clip(tmp_path / "b.mov")
    with opened(written, mode):
        assert open_for_writing([key(written), key(other)]) == {key(written)}
    assert open_for_writing([key(written)]) == set()


def test_a_file_open_for_reading_is_not(tmp_path: Path) -> None:
    read = clip(tmp_path / "a.mov")
    with opened(read, "rb"):
        assert open_for_writing([key(read)]) == set()


def test_a_file_renamed_while_it_is_written_is_found(tmp_path: Path) -> None:
    written = clip(tmp_path / "a.mov.part")
    with opened(written, "ab"):
        renamed = written.rename(tmp_path / "a.mov")
        assert open_for_writing([key(renamed)]) == {key(renamed)}


def test_nothing_is_asked_for_no_files_and_without_proc_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = clip(tmp_path / "a.mov")
    monkeypatch.setattr(admission, "_PROCESSES", str(tmp_path / "no proc"))
    with opened(written, "ab"):
        assert open_for_writing([key(written)]) == set()
    assert open_for_writing([]) == set()
