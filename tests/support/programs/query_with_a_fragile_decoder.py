"""The real query worker, whose decoder crashes, is killed or hangs on files of these names."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import PurePath

from shared.paths import Roots
from shared.process import logs
from shared.query.messages import Probed
from shared.settings import Settings
from workers.query import service
from workers.query.probe import probe_file


def fragile(roots: Roots, path: str) -> Probed:
    name = PurePath(path).stem
    if name == "aborts":
        os.abort()
    if name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "hangs":
        threading.Event().wait()
    return probe_file(roots, path)


if __name__ == "__main__":
    logs.configure("query-worker", "INFO", "text")
    service.probe_file = fragile
    worker = service.QueryService(Settings.from_env(), limit_s=3)
    worker.take_signals()
    sys.exit(worker.serve())
