"""The real query worker, whose decoder crashes, is killed or hangs on files of these names.

The id of each process that begins a preview is a line in NOTES.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path, PurePath

from shared.paths import Roots
from shared.process import logs
from shared.query.messages import MakePreview, Probed
from shared.settings import Settings
from workers.liveness import end_on_signals
from workers.preview.segment import make_segment
from workers.query import service
from workers.query.grab import probe_file

PREVIEWS = "previews"  # what lies in a folder of that name breaks nothing but its previews


def break_on(path: str) -> None:
    name = PurePath(path).stem
    if name == "aborts":
        os.abort()
    if name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "hangs":
        threading.Event().wait()


def fragile(roots: Roots, path: str) -> Probed:
    if PREVIEWS not in PurePath(path).parts:
        break_on(path)
    return probe_file(roots, path)


def fragile_preview(roots: Roots, asked: MakePreview) -> bytes:
    with Path(os.environ["NOTES"]).open("a") as notes:
        notes.write(f"{os.getpid()}\n")
    break_on(asked.path)
    return make_segment(roots, asked)


if __name__ == "__main__":
    logs.configure("query-worker", "INFO", "text")
    service.grab.probe_file = fragile
    service.make_segment = fragile_preview
    worker = service.QueryService(Settings.from_env(), limit_s=3)
    end_on_signals(worker.shut_down)
    sys.exit(worker.serve())
