"""The time that tests measure is that of an idle machine, whatever else it computes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack import Process, Stack
from tests.support.system.stopwatch import Stopwatch

SPIN = "while True: pass"


@pytest.fixture
def one_core() -> Iterator[None]:
    """This process, and all that it starts, on one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    yield
    os.sched_setaffinity(0, cores)


@contextlib.contextmanager
def spinning(count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that compute without end."""
    processes = [subprocess.Popen([sys.executable, "-S", "-c", SPIN]) for _ in range(count)]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def compute(seconds: float) -> None:
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        pass


@pytest.mark.usefixtures("one_core")
def test_what_others_compute_is_not_counted() -> None:
    with spinning(3):
        stopwatch, began = Stopwatch(), time.monotonic()
        compute(0.2)
        wall, measured = time.monotonic() - began, stopwatch.seconds()
    assert 0.19 < measured < 0.5 * wall


def test_waiting_for_anything_but_a_processor_is_counted() -> None:
    stopwatch, began = Stopwatch(), time.monotonic()
    threading.Event().wait(0.3)
    assert stopwatch.seconds() == pytest.approx(time.monotonic() - began, abs=0.15)


@pytest.mark.usefixtures("one_core")
def test_processes_of_a_stack_are_not_kept_waiting_either_and_may_end(tmp_path: Path) -> None:
    with spinning(2) as processes:
        stack = Stack(tmp_path, "redis://nowhere")
        stack.processes["api-0"] = Process("api-0", processes[0], tmp_path / "log")
        stopwatch, began = Stopwatch(stack), time.monotonic()
        threading.Event().wait(0.4)
        assert (measured := stopwatch.seconds()) < 0.8 * (time.monotonic() - began)
        processes[0].kill()
        processes[0].wait()
        assert stopwatch.seconds() >= measured
