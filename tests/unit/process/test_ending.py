"""A process ends with its status and all that it has said, its threads joined."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.stack import PROJECT

PROGRAM = """
import sys, threading
from shared.process.ending import end_with

def main():
    late = threading.Event()
    def work():
        late.wait()
        print("a thread that ends later", end="")
    threading.Thread(target=work).start()
    threading.Timer(0.3, late.set).start()
    print("before")
    {last}

end_with(main)
"""


@pytest.mark.parametrize(
    ("last", "status"),
    [("return 0", 0), ("return 2", 2), ("sys.exit(0)", 0), ("sys.exit(3)", 3), ("sys.exit()", 0)],
)
def test_status_and_words_are_kept_and_threads_waited_for(last: str, status: int) -> None:
    ended = run(PROGRAM.format(last=last))
    assert (ended.returncode, ended.stderr) == (status, "")
    assert ended.stdout == "before\na thread that ends later"


def test_an_error_is_told_as_ever() -> None:
    ended = run(PROGRAM.format(last="raise ValueError('a slip')"))
    assert ended.returncode == 1
    assert "ValueError: a slip" in ended.stderr


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
