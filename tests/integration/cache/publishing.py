"""One artefact of one file, published into a CacheDir and read back."""

from __future__ import annotations

import multiprocessing

from shared.cache.cache_dir import CacheDir
from shared.domain import Scene, Stage

HASH = "00112233aabbccdd"
MODEL = "ViT-B-16/laion 2B: ü"
SPAWN = multiprocessing.get_context("spawn")


def publish(cache: CacheDir, data: bytes, model: str = MODEL, token: str = "7") -> str:
    with cache.draft(HASH, Stage.VISUAL, model, "npy", token) as draft:
        draft.file.write(data)
        return draft.publish(rows=len(data), scenes=(Scene(0, 2),), seconds=(0, 3)).file


def data_of(cache: CacheDir, model: str = MODEL) -> bytes:
    manifest = cache.manifest(HASH, Stage.VISUAL, model)
    assert manifest is not None
    return cache.data_path(HASH, manifest).path.read_bytes()
