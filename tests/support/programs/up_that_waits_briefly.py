"""`rushes up` that says after 2 s, not 120, what it still waits for."""

from __future__ import annotations

import cli.up
from cli.main import run

if __name__ == "__main__":
    cli.up.READY_TIMEOUT_S = 2.0
    run()
