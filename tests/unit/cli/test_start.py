"""The command starts quickly, because it loads late what few commands need."""

from __future__ import annotations

import subprocess
import sys


def test_the_start_loads_no_library_that_only_some_commands_need() -> None:
    program = "import cli.main, sys; print(' '.join(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = {module.partition(".")[0] for module in result.stdout.split()}
    assert "httpx" in loaded
    assert not loaded & {
        *("redis", "rq", "socketio", "engineio", "numpy", "PIL", "rapidfuzz", "opentelemetry"),
    }
