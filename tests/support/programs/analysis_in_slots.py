"""The real analysis worker, whose Items first do what the name of their only file says.

`steady…`: works until the file `release` exists, with checkpoints. `hang…`: hangs.
`meet…`: goes on when as many Items as TEST_MEETING says are in hand in this process. `poison…`:
ends the process, at its first try when another Item is in hand. `doomed…`: at its first try works
until its process ends.
Each Item writes JSON lines {what, name, pid, tries} into TEST_RECORD, at its begin and at its end.
TEST_STALL_S: the stall timer's term.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from shared.domain import AnalyzeSpec, ModelKind
from shared.process import logs
from shared.settings import Settings
from tests.support.analysis.dying import die
from tests.support.fake_models import load_fake_embedder
from workers.analysis.pipeline import analyze, why_not
from workers.analysis.stages.thumbnails import ThumbnailStage
from workers.analysis.stages.transcript import TranscriptStage
from workers.analysis.stages.visual import VisualStage
from workers.context import Context
from workers.liveness import STALL_S, StallTimer, end_on_signals
from workers.worker import Work, Worker

RECORD = Path(os.environ["TEST_RECORD"])
RELEASE = RECORD.with_name("release")
MEETING = int(os.environ.get("TEST_MEETING", "2"))
_pause = threading.Event()
_here: list[str] = []  # names of Items in hand
_analyze = functools.partial(analyze, stages=(ThumbnailStage, VisualStage), sound=TranscriptStage)


def run(context: Context) -> None:
    [file] = msgspec.json.decode(context.lease.spec, type=AnalyzeSpec).files
    name = Path(file.path).stem
    note("begin", name, context)
    _here.append(name)
    try:
        with context.cores.busy():
            context.come_to(0, "the pictures", 1)
            act(context, name)
        _analyze(context)
    finally:
        _here.remove(name)
        note("end", name, context)


def act(context: Context, name: str) -> None:
    is_first = context.lease.tries == 0
    if name.startswith("steady"):
        work_until(RELEASE.exists, context.checkpoint)
    elif name.startswith("hang"):
        work_until(lambda: False, lambda: None)
    elif name.startswith("meet"):
        work_until(lambda: len(_here) >= MEETING, context.checkpoint)
        note("met", name, context)
        work_until(lambda: met() >= MEETING, context.checkpoint)
    elif name.startswith("doomed") and is_first:
        work_until(lambda: False, context.checkpoint)
    elif name.startswith("poison"):
        work_until(lambda: not is_first or len(_here) > 1, context.checkpoint)
        die()


def met() -> int:
    return sum(json.loads(line)["what"] == "met" for line in RECORD.read_text().splitlines())


def work_until(condition: Callable[[], bool], step: Callable[[], None]) -> None:
    while not condition():
        step()
        _pause.wait(0.02)


def note(what: str, name: str, context: Context) -> None:
    line = {"what": what, "name": name, "pid": os.getpid(), "tries": context.lease.tries}
    with RECORD.open("a") as record:
        record.write(json.dumps(line) + "\n")


def main() -> int:
    logs.configure("analysis-worker", "DEBUG", "text")
    stall = StallTimer(float(os.environ.get("TEST_STALL_S", STALL_S)))
    worker = Worker(
        Settings.from_env(),
        Work("analysis", run, why_not),
        stall=stall,
        loaders={ModelKind.VISUAL: load_fake_embedder},
    )
    end_on_signals(worker.shut_down)
    return worker.serve()


if __name__ == "__main__":
    sys.exit(main())
