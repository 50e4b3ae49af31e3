"""Previews of matches out of the frame packs, read with `pread`, side by side."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Executor

from api.quick_map import quick_map
from shared.cache.cache_dir import CacheDir
from shared.cache.frame_packs import PackReader
from shared.domain import Stage
from shared.errors import CacheError

_log = logging.getLogger(__name__)


def read_previews(
    cache: CacheDir, wanted: Sequence[tuple[str, int]], pool: Executor
) -> list[bytes | None]:
    """JPEGs of (hash_str, second), in order; each pack is opened once."""
    by_file: dict[str, list[int]] = {}
    for index, (hash_str, _) in enumerate(wanted):
        by_file.setdefault(hash_str, []).append(index)
    previews: list[bytes | None] = [None] * len(wanted)

    def read(hash_str: str) -> None:
        indices = by_file[hash_str]
        frames = read_frames(cache, hash_str, [wanted[index][1] for index in indices])
        for index, jpeg in zip(indices, frames, strict=True):
            previews[index] = jpeg

    quick_map(pool, read, by_file)
    return previews


def read_frames(cache: CacheDir, hash_str: str, seconds: Sequence[int]) -> list[bytes | None]:
    """The frames nearest to these seconds of one MediaFile; None where there is no sound pack."""
    none: list[bytes | None] = [None] * len(seconds)
    for _ in range(2):  # once more if the pack was replaced and collected between two reads
        manifest = cache.manifest(hash_str, Stage.FRAMES)
        if manifest is None:
            return none
        try:
            with PackReader(cache.data_path(hash_str, manifest)) as pack:
                nearest = [pack.nearest(second) for second in seconds]
                return [None if second is None else pack.read(second) for second in nearest]
        except CacheError as error:
            _log.warning("no preview of %s: %s", hash_str, error)
    return none
