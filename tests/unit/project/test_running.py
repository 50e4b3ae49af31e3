"""How tests run side by side, and what is told of their minutes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.running.minutes import Minutes
from tests.support.stack import PROJECT

# Every test notes in which process it began.
CONFTEST = """
import json, os
import pytest

pytest_plugins = ["tests.support.running.side_by_side"]

@pytest.fixture(autouse=True)
def noted(request):
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(json.dumps([request.node.name, os.getpid()]) + "\\n")
"""
FILES = {
    "contract/test_a.py": 5,
    "integration/test_b.py": 4,
    "security/test_c.py": 3,
    "unit/test_d.py": 2,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project of four files of tests."""
    (tmp_path / "pytest.ini").write_text("[pytest]")
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for name, count in FILES.items():
        path = tmp_path / "tests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        letter = path.stem[-1]
        path.write_text("\n".join(f"def test_{letter}{n}(): pass" for n in range(count)))
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[list[tuple[str, int]], str]:
    """Name and process of each test in the order of their begin, and the output."""
    notes = folder / "notes"
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "NOTES": str(notes)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return [tuple(json.loads(line)) for line in notes.read_text().splitlines()], result.stdout


def test_a_file_stays_in_one_process(folder: Path) -> None:
    ran, _ = run(folder, "-n", "2")
    assert len(ran) == sum(FILES.values())
    assert len({pid for _, pid in ran}) == 2
    for letter in "abcd":
        assert len({pid for name, pid in ran if name[5] == letter}) == 1


def test_kinds_of_tests_whose_files_are_long_come_first(folder: Path) -> None:
    ran, _ = run(folder, "-n", "1")
    assert "".join(name[5] for name, _ in ran) == "cccbbbbaaaaadd"


def test_one_file_runs_in_one_process_in_its_own_order(folder: Path) -> None:
    ran, printed = run(folder, "-n", "auto", str(folder / "tests" / "contract" / "test_a.py"))
    assert [name[6] for name, *_ in ran] == ["0", "1", "2", "3", "4"]
    assert "workers" not in printed


def test_the_table_names_the_dearest_folders_and_files_and_the_slowest_tests() -> None:
    tasks, media = "tests/e2e/tasks", "tests/unit/media"
    minutes = Minutes(processes=4)
    for number in range(20):
        minutes.wall[f"{media}/test_a.py::test_{number}"] = 1.0
    minutes.wall[f"{tasks}/test_b.py::test_long[a/b]"] = 60.0
    minutes.cpu[f"{media}/test_a.py"] = 30.0
    minutes.cpu[f"{tasks}/test_b.py"] = 10.0
    table = [line.split() for line in minutes.table()]
    slowest = "test_b.py::test_long[a/b]"
    assert table[1][:5] == ["30.0", "20.0", "75.0%", "20", f"{media}:"]
    assert table[2] == ["10.0", "60.0", "25.0%", "1", f"{tasks}:", "60.0", "s", slowest]
    assert table[4] == ["30.0", "20.0", "75.0%", "20", f"{media}/test_a.py"]
    assert table[7] == ["60.0", f"{tasks}/{slowest}"]
    assert len(table) == 1 + 2 + 1 + 2 + 1 + 10
