"""Types that msgspec has learnt may be met by many threads at once."""

from __future__ import annotations

import subprocess
import sys

from tests.support.stack import PROJECT


def test_learnt_types_are_safe_for_threads() -> None:
    command = [sys.executable, "-m", "tests.support.programs.decodes_in_threads", "learn"]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 0, ended.stderr[-2000:]
