"""A process that the fork server starts is like one of an interpreter."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from tests.support.running import processes
from tests.support.running.processor_time import cpu_of_tree
from tests.support.stack import PROJECT, Stack
from tests.support.waiting import wait_for

BOTH = pytest.mark.parametrize("interpreter", [True, False], ids=["interpreter", "forked"])
PROGRAM = "tests.support.running.describes_itself"
SOURCE = PROJECT.joinpath(*PROGRAM.split(".")).with_suffix(".py").read_text()
FORKS = next(test for test in "abc" if zlib.crc32(f"{test} 0".encode()) % 20)  # by its name


@pytest.fixture(autouse=True)
def no_turn_of_an_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "another")
    processes.takes_turn_of_interpreter()  # it counts the starts of each test
    monkeypatch.setenv("PYTEST_CURRENT_TEST", FORKS)


@pytest.mark.parametrize(
    ("words", "folder"),
    [(["-m", PROGRAM], PROJECT), (["-P", "-c", SOURCE], Path("/")), (["-c", SOURCE], Path("/"))],
    ids=["-m", "-P -c", "-c"],
)
def test_both_ways_give_a_program_the_same(words: list[str], folder: Path) -> None:
    env = {**os.environ, "ONLY": "this"}
    described = []
    for interpreter in (True, False):
        result = processes.run(
            [*words, "first", "ä \udcff"],
            env=env,
            cwd=folder,
            stdin=b"typed",
            interpreter=interpreter,
        )
        assert (result.returncode, result.stderr) == (7, "to stderr\n")
        described.append(json.loads(result.stdout))
    assert [one.pop("is forked") for one in described] == [False, True]
    assert described[0] == described[1]


@BOTH
def test_an_error_and_a_signal_end_it_with_the_same_status(interpreter: bool) -> None:
    failed = processes.run(["-c", "raise ValueError('of a test')"], interpreter=interpreter)
    assert failed.returncode == 1
    assert failed.stderr.endswith("ValueError: of a test\n")
    killed = processes.run(["-c", "import os; os.kill(os.getpid(), 9)"], interpreter=interpreter)
    assert killed.returncode == -signal.SIGKILL


@BOTH
def test_an_api_answers_and_ends_the_same(
    tmp_path: Path, redis_url: str, interpreter: bool
) -> None:
    stack = Stack(tmp_path, redis_url)
    with contextlib.ExitStack() as ends:
        ends.callback(stack.stop)
        client = stack.start_api(interpreter=interpreter)
        assert stack.processes["api-0"].is_interpreter == interpreter
        assert client.get("/health").json()["status"] == "ok"
        assert stack.processes["api-0"].end() == 0


def test_one_start_in_twenty_is_an_interpreter_and_always_the_same_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def starts() -> list[bool]:
        turns = []
        for test in range(200):
            monkeypatch.setenv("PYTEST_CURRENT_TEST", f"test_{test} (setup)")
            turns.append(processes.takes_turn_of_interpreter())
            monkeypatch.setenv("PYTEST_CURRENT_TEST", f"test_{test} (call)")
            turns.append(processes.takes_turn_of_interpreter())
        return turns

    assert 10 <= sum(starts()) <= 30
    assert starts() == starts()


def test_settings_that_only_a_start_reads_are_given_to_an_interpreter(tmp_path: Path) -> None:
    words = ["-c", "import sys; print(sys.flags.dev_mode)"]
    result = processes.run(words, env={**os.environ, "PYTHONDEVMODE": "1"})
    assert result.stdout == "True\n"


def test_what_runs_ends_with_the_process_that_has_started_it(tmp_path: Path) -> None:
    """Also where that process is killed."""
    program = (
        "import os, sys\n"
        "from tests.support.running import processes\n"
        "processes.use_fork_server(sys.argv[1])\n"
        "os.environ['PYTEST_CURRENT_TEST'] = sys.argv[2]\n"
        "words = ['-c', 'import signal; signal.pause()']\n"
        "print(processes.start(words, env=os.environ, stdout=2).pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    result = processes.run(["-c", program, processes.address_for_all(), FORKS])
    started = Path(f"/proc/{int(result.stdout)}")
    wait_for(lambda: not started.exists(), 10, "the end of the process")


def test_cpu_time_counts_processes_that_run_and_those_that_have_ended() -> None:
    burns = "import time\nwhile time.process_time() < 0.3: pass"
    before = cpu_of_tree(os.getpid())
    subprocess.run([sys.executable, "-c", burns], check=True)
    assert cpu_of_tree(os.getpid()) - before > 0.25
    running = "import sys, time\nwhile time.process_time() < 0.3: pass\nsys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", running], stdin=subprocess.PIPE):
        wait_for(lambda: cpu_of_tree(os.getpid()) - before > 0.5, 20, "the time of both")
