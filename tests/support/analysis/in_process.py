"""Items of an analysis, done in this process with as many decode threads as wanted."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.cache.cache_dir import CacheDir
from shared.domain import Manifest, ModelKind, ProgressType, Stage
from shared.settings import Settings
from tests.support.analysis.desk import FACE_MODEL, MODEL, Desk
from tests.support.fake_models import FAKE_FACES_SPEC, FakeEmbedder, FakeFaceFinder
from tests.support.media.by_path import hash_media
from workers.analysis.pipeline import analyze
from workers.analysis.stages.faces import FaceStage
from workers.analysis.stages.thumbnails import ThumbnailStage
from workers.analysis.stages.transcript import TranscriptStage
from workers.analysis.stages.visual import VisualStage
from workers.context import Bench, Context, NativeCalls
from workers.decode_pool import Cores, DecodePool
from workers.liveness import Signals, StallTimer
from workers.models.pool import Loader, ModelPool

FAKES: Mapping[ModelKind, Loader] = {
    ModelKind.VISUAL: lambda _settings, spec: FakeEmbedder(spec),
    ModelKind.FACES: lambda _settings, spec: FakeFaceFinder(
        msgspec.structs.replace(spec, dim=FAKE_FACES_SPEC.dim)
    ),
}
PICTURES = (ProgressType.VIDEO, ProgressType.FACES)


@dataclass(frozen=True)
class Made:
    """The artefacts of one file."""

    seen: tuple[object, ...]  # scenes, seconds and facts
    pack: bytes  # of thumbnails
    rows: NDArray[np.float16]
    faces: bytes
    warnings: tuple[str, ...]


class InProcess:
    """A CacheDir, and Items that are done here, one after the other."""

    def __init__(
        self, folder: Path, redis_url: str, loaders: Mapping[ModelKind, Loader] = FAKES
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.desk = Desk(folder, redis_url)
        models = Path(self.desk.squares_env()["RUSHES_MODELS_DIR"])
        self.settings = Settings(state_dir=folder / "state", models_dir=models)
        self.pool = ModelPool(self.settings, loaders)

    def close(self) -> None:
        self.pool.close()
        self.desk.close()

    def context(self, task_id: str, decoders: DecodePool, item_id: int = 0) -> Context:
        """Of an Item, which is claimed."""
        lease = self.desk.ledger.claim(task_id, item_id, "in-process", "nonce")
        assert lease
        desk = self.desk
        bench = Bench(self.settings, desk.client, desk.ledger, "in-process", self.pool, decoders)
        cores = Cores(decoders.threads).enter()
        return Context(bench, lease, Signals(), StallTimer(), NativeCalls(), cores)

    def analyze(
        self,
        paths: list[Path],
        decoders: DecodePool,
        wants: tuple[ProgressType, ...] = PICTURES,
        **spec: Any,
    ) -> None:
        """Do one Item of these files."""
        self.do(self.desk.submit(paths, wants=wants, **spec), decoders)

    def do(self, task_id: str, decoders: DecodePool, item_id: int = 0, tries: int = 0) -> None:
        """Do an Item of a Task, which was tried so often before."""
        context = self.context(task_id, decoders, item_id)
        context.lease = msgspec.structs.replace(context.lease, tries=tries)
        try:
            analyze(context, (ThumbnailStage, VisualStage, FaceStage), TranscriptStage)
        finally:
            context.stall.disarm()
            self.desk.ledger.settle(context.lease, "done")

    def made_of(self, path: Path) -> Made:
        """What is published of a file's pictures."""
        cache = CacheDir.open(self.desk.cache, create=False)
        hash_str = hash_media(path)

        def published(stage: Stage, model: str = "") -> tuple[Manifest, bytes]:
            found = cache.manifest(hash_str, stage, model)
            assert found, f"{stage} of {path}"
            return found, Path(cache.data_path(hash_str, found).path).read_bytes()

        frames, pack = published(Stage.FRAMES)
        _, rows = published(Stage.VISUAL, MODEL)
        _, faces = published(Stage.FACES, FACE_MODEL)
        seen = (frames.scenes, frames.rows, frames.first_frame, frames.seconds, frames.probe)
        return Made(seen, pack, np.load(io.BytesIO(rows)), faces, frames.warnings)
