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

INI = """[pytest]
markers =
    alone: alone
    quiet: quiet
"""
# Every test notes when it began and ended, and in which process.
CONFTEST = """
import json, os, time
import pytest

pytest_plugins = ["tests.support.running.side_by_side"]

@pytest.fixture(autouse=True)
def noted(request):
    began = time.monotonic()
    yield
    note = [request.node.name, began, time.monotonic(), os.getpid()]
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(json.dumps(note) + "\\n")
"""
FILES = {
    "contract/test_a.py": "alone,plain,alone,plain,plain",
    "integration/test_b.py": "plain,alone,plain,plain",
    "quality/test_c.py": "plain,plain,plain",
    "unit/test_d.py": "quiet,plain,quiet,quiet,quiet,quiet",
    "unit/test_e.py": "quiet,quiet,quiet,quiet,quiet",
}
COMPANY = {"plain": {"plain"}, "quiet": {"quiet"}, "alone": set()}


def source_of(letter: str, kinds: str) -> str:
    lines = ["import threading", "import pytest"]
    for number, kind in enumerate(kinds.split(",")):
        if kind != "plain":
            lines.append(f"@pytest.mark.{kind}")
        lines.append(f"def test_{letter}{number}_{kind}(): threading.Event().wait(0.1)")
    return "\n".join(lines)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project of three files of tests."""
    (tmp_path / "pytest.ini").write_text(INI)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for name, kinds in FILES.items():
        path = tmp_path / "tests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source_of(Path(name).stem[-1], kinds))
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[list[tuple[str, float, float, int]], str]:
    """Name, begin, end and process of each test in the order of their begin, and the output."""
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
    found = [tuple(json.loads(line)) for line in notes.read_text().splitlines()]
    return sorted(found, key=lambda note: note[1]), result.stdout


def test_a_file_stays_in_one_process_and_what_compares_clocks_is_alone(folder: Path) -> None:
    ran, _ = run(folder, "-n", "2")
    assert len(ran) == 23
    for letter, kind in zip("abcdde", [*["plain"] * 4, "quiet", "quiet"], strict=True):
        of_file = {pid for name, *_, pid in ran if name[5] == letter and kind in name}
        assert len(of_file) == 1
    for name, began, ended, _ in ran:
        beside = {n[8:] for n, b, e, _ in ran if n != name and b < ended and e > began}
        assert beside <= COMPANY[name[8:]], name
    assert len({pid for name, _, _, pid in ran if "alone" in name}) == 1
    assert len({pid for name, _, _, pid in ran if "quiet" in name}) == 2


def test_kinds_of_tests_whose_files_are_long_come_first_and_what_compares_clocks_last(
    folder: Path,
) -> None:
    ran, _ = run(folder, "-n", "1")
    assert "".join(name[5] for name, *_ in ran[:-13]) == "cccbbbaaad"
    assert all("quiet" in name for name, *_ in ran[-13:-3])
    assert all("alone" in name for name, *_ in ran[-3:])


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
