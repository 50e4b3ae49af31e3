"""`python -m cli.doctor_for_api`: `rushes doctor --json` for a process that it must not outlive."""

from __future__ import annotations

import dataclasses
import json
import os
import signal

from cli.checks.everything import look_at_everything
from shared.process import parent_pipe


def _end_our_session() -> None:
    """End what the checks have started, too: who asked for them is gone."""
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    parent_pipe.watch(_end_our_session)
    findings = look_at_everything(os.environ)
    is_ok = all(finding.level != "problem" for finding in findings)
    print(json.dumps({"ok": is_ok, "findings": [dataclasses.asdict(one) for one in findings]}))
