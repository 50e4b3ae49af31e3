"""`python -m cli.doctor_for_api`: `rushes doctor --json` for a process that it must not outlive."""

from __future__ import annotations

import os
import signal
import sys

from cli.main import run
from shared.process import parent_pipe


def _end_our_session() -> None:
    """End what the checks have started, too: who asked for them is gone."""
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    parent_pipe.watch(_end_our_session)
    sys.argv = ["rushes", "doctor", "--json"]
    run()
