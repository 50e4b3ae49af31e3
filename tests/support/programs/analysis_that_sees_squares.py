"""The real analysis worker with FakeFaceFinder, as TEST_FACES says, and FakeEmbedder.

TEST_FACES (JSON): `hold_at`: this call of `detect` (from 1) of the process writes `marker`, then
waits until `release` exists, hearing of no stop. `seconds`: what each call takes. `is_broken`: the
model cannot be loaded.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import sys
import threading
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.domain import ModelKind
from shared.errors import ModelError
from shared.models.specs import ModelSpec
from shared.process import logs
from shared.settings import Settings
from tests.support.fake_models import FAKE_FACES_SPEC, FakeFaceFinder, load_fake_embedder
from workers.analysis.pipeline import analyze, why_not
from workers.analysis.stages.faces import FaceStage
from workers.analysis.stages.thumbnails import ThumbnailStage
from workers.analysis.stages.transcript import TranscriptStage
from workers.analysis.stages.visual import VisualStage
from workers.liveness import end_on_signals
from workers.models.protocols import FaceBox
from workers.worker import Work, Worker

TOLD = json.loads(os.environ.get("TEST_FACES", "{}"))
_pause = threading.Event()
_calls = itertools.count(1)


class HeldFinder(FakeFaceFinder):
    def detect(self, rgb: NDArray[np.uint8]) -> list[FaceBox]:
        if next(_calls) == TOLD.get("hold_at"):
            with Path(TOLD["marker"]).open("a") as marker:
                marker.write(f"{os.getpid()}\n")
            while not Path(TOLD["release"]).exists():
                _pause.wait(0.05)
        _pause.wait(TOLD.get("seconds", 0))
        return super().detect(rgb)


def load_squares(_settings: Settings, spec: ModelSpec) -> HeldFinder:
    if TOLD.get("is_broken"):
        raise ModelError("The squares are broken.")
    return HeldFinder(msgspec.structs.replace(spec, dim=FAKE_FACES_SPEC.dim))


def main() -> int:
    logs.configure("analysis-worker", "DEBUG", "text")
    run = functools.partial(
        analyze, stages=(ThumbnailStage, VisualStage, FaceStage), sound=TranscriptStage
    )
    worker = Worker(
        Settings.from_env(),
        Work("analysis", run, why_not),
        loaders={ModelKind.VISUAL: load_fake_embedder, ModelKind.FACES: load_squares},
    )
    end_on_signals(worker.shut_down)
    return worker.serve()


if __name__ == "__main__":
    sys.exit(main())
