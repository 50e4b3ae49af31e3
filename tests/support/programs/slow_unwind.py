"""The real analysis worker with one more stage, which works without end and unwinds slowly.

Writes a line at each start and end of its work into SLOW_UNWIND_RECORD. Once it is told to stop
it needs SLOW_UNWIND_S to end, and longer while the file SLOW_UNWIND_HELD exists.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from shared.process import logs
from shared.settings import Settings
from workers.analysis.analyzed_file import AnalyzedFile
from workers.analysis.pipeline import analyze, why_not
from workers.analysis.stage import PictureStage, Prepared, StageRun
from workers.analysis.stages.transcript import TranscriptStage
from workers.liveness import end_on_signals
from workers.media.media_reader import MediaReader
from workers.media.pictures import GridFrame
from workers.worker import Work, Worker

RECORD = os.environ.get("SLOW_UNWIND_RECORD", "")
HELD = os.environ.get("SLOW_UNWIND_HELD", "")
UNWIND_S = float(os.environ.get("SLOW_UNWIND_S", "4"))


class SlowUnwind(PictureStage):
    """Holds the first frame of every file for ever."""

    def is_published(self, file: AnalyzedFile) -> bool:
        return False

    @contextmanager
    def open(self, file: AnalyzedFile, reader: MediaReader) -> Iterator[StageRun]:
        yield Holding(self)

    def note(self, what: str) -> None:
        line = {
            "what": what,
            "task_id": self.context.lease.task_id,
            "worker": os.getpid(),
            "at": time.time(),
        }
        with open(RECORD, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


class Holding(StageRun):
    def __init__(self, stage: SlowUnwind) -> None:
        self._stage = stage

    def prepare(self, frame: GridFrame) -> Prepared[None]:
        return Prepared(None, 0)

    def add(self, second: int, prepared: None) -> NoReturn:
        pause = threading.Event()
        self._stage.note("start")
        try:
            while True:
                self._stage.context.checkpoint()
                pause.wait(0.02)
        finally:
            pause.wait(UNWIND_S)
            while os.path.exists(HELD):
                pause.wait(0.02)
            self._stage.note("end")

    def publish(self) -> None:
        raise AssertionError("it never gets so far")


def main() -> int:
    settings = Settings.from_env()
    logs.configure("analysis-worker", settings.log_level, settings.log_format)
    run = functools.partial(analyze, stages=(SlowUnwind,), sound=TranscriptStage)
    work = Work("analysis", run, why_not)
    worker = Worker(settings, work)
    end_on_signals(worker.shut_down)
    return worker.serve()


if __name__ == "__main__":
    sys.exit(main())
