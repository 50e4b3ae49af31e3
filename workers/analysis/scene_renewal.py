"""Finds the scenes of analyzed footage anew from its stored grid; no media are opened."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from shared.cache import renewed_scenes
from shared.cache.cache_dir import CacheDir
from shared.cache.frame_packs import PackReader
from shared.domain import Manifest, ProgressType, Scene, Stage
from shared.errors import CacheError
from workers.analysis.stages.scenes import SceneCutter
from workers.context import Context

log = logging.getLogger(__name__)


def renew_scenes(context: Context, cache: CacheDir, hash_strs: Sequence[str]) -> None:
    """Find and publish the scenes of these MediaFiles; one whose frames are damaged fails alone."""
    for index, hash_str in enumerate(hash_strs):
        if index in context.lease.given_up:
            continue
        context.come_to(index, "the stored pictures", 0)
        try:
            is_new = _renew(context, cache, hash_str, index)
        except CacheError as error:
            log.warning("The scenes of %s stay as they are: %s", hash_str, error.message)
            context.progress.file_ended(ProgressType.VIDEO, index, hash_str, error)
        else:
            context.progress.file_ended(ProgressType.VIDEO, index, hash_str, skipped=not is_new)


def _renew(context: Context, cache: CacheDir, hash_str: str, done: int) -> bool:
    """Whether there was something to do; what is stored of another content waits for analysis."""
    manifest = cache.manifest(hash_str, Stage.FRAMES)
    if manifest is None or not renewed_scenes.is_due(cache, hash_str):
        return False
    if not renewed_scenes.is_of_media(cache, hash_str, manifest):
        return False
    scenes = _scenes(context, cache, hash_str, manifest, done)
    context.checkpoint()
    renewed_scenes.publish(cache, hash_str, manifest, scenes, context.lease.writer)
    log.info("%s has %d scenes, it had %d before.", hash_str, len(scenes), len(manifest.scenes))
    return True


def _scenes(
    context: Context, cache: CacheDir, hash_str: str, manifest: Manifest, done: int
) -> tuple[Scene, ...]:
    cutter = SceneCutter()
    with PackReader(cache.data_path(hash_str, manifest)) as pack:
        for count, second in enumerate(pack.seconds.tolist()):
            context.checkpoint()
            context.come_to(done, "the stored pictures", second)
            context.progress.report(ProgressType.VIDEO, done + count / len(pack.seconds), hash_str)
            cutter.add(second, _picture(pack, second))
    return cutter.finish()


def _picture(pack: PackReader, second: int) -> NDArray[np.uint8]:
    jpeg = pack.read(second)
    try:
        rgb: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            jpeg or b"", min_width=SceneCutter.side, min_height=1
        )
    except ValueError as error:
        raise CacheError(f"The stored frame of second {second} is damaged: {error}") from error
    return rgb
