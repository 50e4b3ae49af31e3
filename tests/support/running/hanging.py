"""A test that hangs fails with the stacks of its processes, and the run goes on.

Where even that is impossible, because a call into a library does not return, the process that runs
the test prints its stacks and ends; pytest-xdist reports the test and goes on with another process.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import tempfile
from types import FrameType
from typing import Any

import pytest
import pytest_timeout

from tests.support.running import processes

_GRACE_S = 30.0  # to print the stacks and to end what the test has begun
_stderr = -1  # that of the run: where tests run, pytest has put a file in its place


def pytest_configure() -> None:
    global _stderr
    _stderr = os.dup(2)


def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> bool:
    """Take the place of the timer of pytest-timeout, which a debugger stops."""
    if pytest_timeout.is_debugging():
        return True

    def fail(_number: int, _frame: FrameType | None) -> None:
        pytest.fail(
            f"The test runs for more than {settings.timeout:g} s.\n{_own_stacks()}\n"
            f"{processes.stacks()}"
        )

    signal.signal(signal.SIGALRM, fail)
    signal.setitimer(signal.ITIMER_REAL, settings.timeout)
    faulthandler.dump_traceback_later(settings.timeout + _GRACE_S, exit=True, file=_stderr)
    return True


def pytest_timeout_cancel_timer(item: pytest.Item) -> bool:
    signal.setitimer(signal.ITIMER_REAL, 0)
    faulthandler.cancel_dump_traceback_later()
    return True


def _own_stacks() -> str:
    with tempfile.TemporaryFile() as file:
        faulthandler.dump_traceback(file)
        file.seek(0)
        return f"---- the tests ({os.getpid()})\n{file.read().decode(errors='replace')}"
