"""A test that hangs fails with the stacks of its processes, and the run goes on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.running import processes
from tests.support.stack import PROJECT

CONFTEST = """
pytest_plugins = ["tests.support.running.hanging", "tests.support.running.side_by_side"]

def pytest_configure(config):
    from tests.support.running import hanging, processes

    hanging._GRACE_S = 1.0
    processes.use_fork_server({address!r})
"""
WAITS = """
import threading

def waits_for_ever():
    threading.Event().wait()
"""
TESTS = {
    "test_a.py": """
import os, signal
from forever import waits_for_ever

def test_in_a_call_that_no_signal_ends():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    waits_for_ever()

def test_after_it():
    pass
""",
    "test_b.py": """
import os
from forever import waits_for_ever
from tests.support.running import processes

def test_with_a_process(tmp_path):
    with (tmp_path / "log").open("wb") as log:
        for _ in range(2):
            processes.start(
                ["-m", "hangs"], env=os.environ, cwd=os.getcwd(), stdout=log.fileno()
            )
    waits_for_ever()

def test_after_that():
    pass
""",
}
HANGS = """
import forever

def loops_in_the_process():
    forever.waits_for_ever()

loops_in_the_process()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\ntimeout = 3\n")
    (tmp_path / "conftest.py").write_text(CONFTEST.format(address=processes.address_for_all()))
    (tmp_path / "forever.py").write_text(WAITS)
    (tmp_path / "hangs.py").write_text(HANGS)
    for name, source in TESTS.items():
        (tmp_path / name).write_text(source)
    return tmp_path


def test_it_fails_with_the_stacks_of_its_processes_and_the_run_goes_on(folder: Path) -> None:
    result = processes.run(
        ["-m", "pytest", "-n", "2", "-p", "no:hypothesispytest"],
        env={**os.environ, "PYTHONPATH": f"{folder}:{PROJECT}"},
        cwd=folder,
    )
    printed = result.stdout + result.stderr
    assert "2 failed, 2 passed" in printed, printed
    assert "The test runs for more than 3 s." in printed
    assert printed.count("in waits_for_ever") >= 4, printed  # two tests and two processes
    assert printed.count("in loops_in_the_process") >= 2, printed
    assert "in test_in_a_call_that_no_signal_ends\n" in result.stderr
    assert "crashed while running 'test_a.py::test_in_a_call_that_no_signal_ends'" in printed
