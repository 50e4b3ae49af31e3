"""The real export worker, which waits where TEST_EXPORT (JSON) says.

Once `share` of a clip is reported it writes its pid to `marker`, and goes on when `release`
exists; meanwhile it hears stops, unless `is_deaf`. With `at_end` it waits once more, deaf, when the
clip is cut and has no name yet. With `breaks` each try ends in an error of ours.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.process import logs
from shared.settings import Settings
from workers.context import Context
from workers.export.item import export_clip, why_not
from workers.liveness import end_on_signals
from workers.worker import Work, Worker

TOLD = json.loads(os.environ["TEST_EXPORT"])
_pause = threading.Event()


def hold(context: Context, say: Callable[[], None] = lambda: None) -> None:
    with Path(TOLD["marker"]).open("a") as marker:
        marker.write(f"{os.getpid()}\n")
    while not Path(TOLD["release"]).exists():
        if not TOLD.get("is_deaf"):
            context.checkpoint()
        say()
        _pause.wait(0.02)


def run(context: Context) -> None:
    if TOLD.get("breaks"):
        raise ValueError("broken on purpose")
    report, confirm = context.progress.report, context.confirm
    has_held = False

    def reported(kind: Any, share: float, *words: Any, **more: Any) -> None:
        nonlocal has_held
        report(kind, share, *words, **more)
        if not has_held and share >= TOLD.get("share", 2):
            has_held = True
            hold(context, lambda: report(kind, share, *words, **more))

    def confirmed() -> None:
        if TOLD.get("at_end"):
            hold(context)
        confirm()

    context.progress.report = reported  # type: ignore[method-assign]
    context.confirm = confirmed  # type: ignore[method-assign]
    export_clip(context)


def main() -> int:
    logs.configure("export-worker", "DEBUG", "text")
    work = Work("export", run, why_not, models=())
    worker = Worker(Settings.from_env(), work)
    end_on_signals(worker.shut_down)
    return worker.serve()


if __name__ == "__main__":
    sys.exit(main())
