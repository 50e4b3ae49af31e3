"""The real recluster worker, which waits where TEST_RECLUSTER (JSON) says.

Once `share` of the work is reported it writes `marker`, and goes on when `release` exists;
meanwhile it hears stops, unless `is_deaf`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from shared.process import logs
from shared.settings import Settings
from workers.context import Context
from workers.liveness import end_on_signals
from workers.recluster.item import recluster, why_not
from workers.worker import Work, Worker

TOLD = json.loads(os.environ["TEST_RECLUSTER"])
_pause = threading.Event()


def run(context: Context) -> None:
    report = context.progress.report

    def reported(kind: Any, share: float, *words: Any, **more: Any) -> None:
        report(kind, share, *words, **more)
        if share < TOLD["share"] or Path(TOLD["marker"]).exists():
            return
        Path(TOLD["marker"]).write_text(f"{os.getpid()}\n")
        while not Path(TOLD["release"]).exists():
            if not TOLD.get("is_deaf"):
                context.checkpoint()
            _pause.wait(0.05)

    context.progress.report = reported  # type: ignore[method-assign]
    recluster(context)


def main() -> int:
    logs.configure("recluster-worker", "DEBUG", "text")
    work = Work("recluster", run, why_not, models=())
    worker = Worker(Settings.from_env(), work)
    end_on_signals(worker.shut_down)
    return worker.serve()


if __name__ == "__main__":
    sys.exit(main())
