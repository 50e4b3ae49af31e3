"""What tests make once a run: one process makes it, whole, and it stays as it was made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.running.once import Material
from tests.support.stack import PROJECT

PROGRAM = """
import os, pathlib, sys
from tests.support.running.once import Material
def make(draft):
    with open("made", "a") as notes:
        notes.write("made\\n")
    (draft / "half").write_text("1")
    if sys.argv[1:] == ["killed"]:
        os.kill(os.getpid(), 9)
    (draft / "other half").write_text("2")
print(sorted(os.listdir(Material(pathlib.Path("shared")).made_once("film", make))))
"""


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, *words]
    return subprocess.Popen(
        command, cwd=folder, env={"PYTHONPATH": str(PROJECT)}, stdout=subprocess.PIPE, text=True
    )


def test_of_several_processes_one_makes_what_all_get(tmp_path: Path) -> None:
    started = [start(tmp_path) for _ in range(4)]
    assert {process.communicate()[0] for process in started} == {"['half', 'other half']\n"}
    assert (tmp_path / "made").read_text() == "made\n"


def test_of_a_process_that_is_killed_meanwhile_nothing_half_made_is_left(tmp_path: Path) -> None:
    killed = start(tmp_path, "killed")
    killed.communicate()
    assert killed.returncode == -9
    assert start(tmp_path).communicate()[0] == "['half', 'other half']\n"


def test_of_material_that_somebody_cannot_make_nothing_is_left(tmp_path: Path) -> None:
    def fail(draft: Path) -> None:
        (draft / "half").touch()
        raise OSError("no room")

    material = Material(tmp_path)
    with pytest.raises(OSError, match="no room"):
        material.made_once("film", fail)
    made = material.made_once("film", lambda draft: (draft / "whole").touch())
    assert [path.name for path in made.iterdir()] == ["whole"]


@pytest.mark.parametrize("change", ["write", "remove", "add"])
def test_who_changes_what_others_share_is_found_out(tmp_path: Path, change: str) -> None:
    material = Material(tmp_path)
    made = material.made_once("film", lambda draft: (draft / "film.mp4").write_bytes(b"film"))
    material.check()
    if change == "write":
        (made / "film.mp4").write_bytes(b"other")
    elif change == "remove":
        (made / "film.mp4").unlink()
    else:
        (made / "film.srt").touch()
    with pytest.raises(AssertionError, match="a test has changed shared material"):
        material.check()
