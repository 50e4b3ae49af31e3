"""The real analysis worker with one more stage, which does what TEST_STAGE (JSON) says.

hold: at second `at` writes `marker`, then waits with checkpoints until `release` exists.
hang: the same without checkpoints. unwind: as hold, but a stop takes `seconds` to unwind.
break: at second `at` fails as a library of ours would that cannot read a file of its own.
decoder hangs, decoder dies: at second `at`, in the thread that decodes, as FFmpeg would.
`stall_s`: the stall timer's term. `fake_embedder`: true for FakeEmbedder as the visual model.
`gone_folder_s`: how long a folder that is gone is waited for.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.domain import ModelKind
from shared.process import logs
from shared.settings import Settings
from tests.support.analysis.dying import die
from tests.support.fake_models import load_fake_embedder
from workers.analysis.analyzed_file import AnalyzedFile
from workers.analysis.pipeline import analyze, why_not
from workers.analysis.stage import PictureStage, Prepared, StageRun
from workers.analysis.stages.thumbnails import ThumbnailStage
from workers.analysis.stages.transcript import TranscriptStage
from workers.analysis.stages.visual import VisualStage
from workers.liveness import STALL_S, StallTimer, end_on_signals
from workers.media.media_reader import MediaReader
from workers.media.pictures import GridFrame
from workers.models.load import load_visual
from workers.presence import seen_folders
from workers.worker import Work, Worker

TOLD = json.loads(os.environ.get("TEST_STAGE", "{}"))
_pause = threading.Event()


class Extra(PictureStage):
    def is_published(self, file: AnalyzedFile) -> bool:
        return False

    @contextmanager
    def open(self, file: AnalyzedFile, reader: MediaReader) -> Iterator[StageRun]:
        try:
            yield ExtraRun(self)
        except BaseException:
            if TOLD.get("do") == "unwind":
                _pause.wait(TOLD["seconds"])
            raise


class ExtraRun(StageRun):
    def __init__(self, stage: PictureStage) -> None:
        self._stage = stage

    def prepare(self, frame: GridFrame) -> Prepared[None]:
        if frame.second == TOLD["at"] and TOLD.get("do") == "decoder hangs":
            _pause.wait()
        if frame.second == TOLD["at"] and TOLD.get("do") == "decoder dies":
            die(signal.SIGSEGV)
        return Prepared(None, 0)

    def add(self, second: int, prepared: None) -> None:
        if second != TOLD["at"] or TOLD.get("do", "").startswith("decoder"):
            return
        if TOLD.get("do") == "break":
            raise OSError(errno.EIO, "Input/output error", "table.bin")
        with Path(TOLD["marker"]).open("a") as marker:
            marker.write(f"{os.getpid()}\n")
        while not Path(TOLD["release"]).exists():
            if TOLD.get("do") != "hang":
                self._stage.context.checkpoint()
            _pause.wait(0.05)

    def publish(self) -> None:
        return


def main() -> int:
    logs.configure("analysis-worker", "DEBUG", "text")
    seen_folders.GONE_FOLDER_S = TOLD.get("gone_folder_s", seen_folders.GONE_FOLDER_S)
    stages = (ThumbnailStage, VisualStage, Extra)
    run = functools.partial(analyze, stages=stages, sound=TranscriptStage)
    work = Work("analysis", run, why_not)
    worker = Worker(
        Settings.from_env(),
        work,
        stall=StallTimer(TOLD.get("stall_s", STALL_S)),
        loaders={
            ModelKind.VISUAL: load_fake_embedder if TOLD.get("fake_embedder") else load_visual
        },
    )
    end_on_signals(worker.shut_down)
    return worker.serve()


if __name__ == "__main__":
    sys.exit(main())
