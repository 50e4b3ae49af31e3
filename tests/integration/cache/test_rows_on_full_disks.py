"""Rows of embeddings that do not fit on the disk any more are never published in part."""

from __future__ import annotations

import multiprocessing
import resource
import signal
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from shared.cache.cache_dir import CacheDir
from shared.domain import Stage
from shared.errors import CacheError
from tests.support.fake_models import FakeEmbedder
from workers.analysis.stage import ModelBatches
from workers.analysis.stages.visual import _VisualRun
from workers.context import NativeCalls
from workers.liveness import Signals
from workers.media.pictures import GridFrame

HASH, MODEL = "0" * 16, "m"
SPAWN = multiprocessing.get_context("spawn")


class Grey:
    """A picture of one colour."""

    width = height = 64

    def rgb(self, width: int, height: int) -> Any:
        return np.full((height, width, 3), 128, np.uint8)

    def thumbnail_jpeg(self, long_side: int = 0, quality: int = 0) -> bytes:
        return b""


def write_rows(folder: str, count: int) -> int:
    """Publish that many rows; their bytes with the header before them."""
    context: Any = SimpleNamespace(
        checkpoint=lambda: None,
        counts=Counter(),
        lease=SimpleNamespace(task_id="task"),
        bench=SimpleNamespace(worker="worker", batches=NativeCalls()),
        signals=Signals(),
    )
    cache = CacheDir.open(folder, create=True)
    model = FakeEmbedder()
    batches = ModelBatches(context, model.embed_images, model.batch_size, "video")
    with cache.draft(HASH, Stage.VISUAL, MODEL, ".npy", "token") as draft:
        run = _VisualRun(context, model, batches, draft)
        for second in range(count):
            run.add(second, run.prepare(GridFrame(second, second, Grey())).value)
        batches.flush()
        run.publish()
    manifest = cache.manifest(HASH, Stage.VISUAL, MODEL)
    assert manifest is not None
    return manifest.bytes


def write_limited(folder: str, count: int, most_bytes: int, out: Any) -> None:
    """In a process whose files may not grow beyond `most_bytes`, as on a disk that is full."""
    CacheDir.open(folder, create=True)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    try:
        out.put(write_rows(folder, count))
    except CacheError as error:
        out.put(error.message)


@pytest.mark.parametrize("count", [500, 20_000])
def test_rows_are_published_whole_or_not_at_all(tmp_path: Path, count: int) -> None:
    whole = write_rows(str(tmp_path / "large"), count)
    made = CacheDir.open(tmp_path / "large", create=False)
    manifest = made.manifest(HASH, Stage.VISUAL, MODEL)
    assert manifest is not None
    assert np.load(made.data_path(HASH, manifest).path).shape == (count, manifest.dim)
    out = SPAWN.Queue()
    process = SPAWN.Process(
        target=write_limited, args=(str(tmp_path / "small"), count, whole - 100, out)
    )
    process.start()
    said = out.get(timeout=30)
    process.join()
    assert "is full. Free some space" in str(said)
    assert CacheDir.open(tmp_path / "small", create=False).manifests(HASH) == []
