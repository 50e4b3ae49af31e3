"""promtool, which reads what Prometheus would read."""

from __future__ import annotations

import subprocess

from tests.support.monitoring.debian_programs import PROMTOOL, bin_of


def promtool(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run it with `text` as its input; what it says is in `stdout` and `stderr`."""
    return subprocess.run(
        [str(bin_of(PROMTOOL) / "promtool"), *words],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
