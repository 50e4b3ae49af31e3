"""`scripts/bench scale --short`: one hour of footage, everything measured as over 1,000."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from benchmarks.scale.drawing import COLUMNS
from tests.support.stack import PROJECT


@pytest.mark.soak
def test_the_short_form_measures_everything() -> None:
    command = [sys.executable, "-m", "benchmarks.scale", "--short"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = dict(re.findall(r"^\| (.+) \| ([\d.,]+) \|$", done.stdout, re.MULTILINE))
    assert set(shown) == {heading for heading, _ in COLUMNS.values()}
