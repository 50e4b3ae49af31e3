"""Previews of matches out of the frame packs, read with `pread`, and what signs their addresses."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial

from api.cache.view import CacheView
from api.folders import quick_map
from api.signed_addresses import Signed
from shared.cache import cache_files
from shared.cache.cache_dir import CacheDir
from shared.cache.cache_files import ArtefactFiles
from shared.cache.frame_packs import PackIndexes, PackReader
from shared.domain import Stage
from shared.errors import CacheError
from shared.opening import RootedPath

_log = logging.getLogger(__name__)
_MOST_INDEXES = 500  # of an hour, 58 KB each
_indexes: PackIndexes = {}  # of packs read lately


def read_previews(
    view: CacheView, wanted: Sequence[tuple[str, int]], pool: Executor, began: float = float("inf")
) -> list[bytes | None]:
    """JPEGs of (hash_str, second), in order; each pack is opened once.

    `began`: a request that began then asks, see api/cache/view.py.
    """
    cache = view.cache
    by_file: dict[str, list[int]] = {}
    for index, (hash_str, _) in enumerate(wanted):
        by_file.setdefault(hash_str, []).append(index)
    previews: list[bytes | None] = [None] * len(wanted)

    pack_of = partial(frame_pack, cache)
    packs = view.frame_packs.since(
        began, by_file, lambda hash_strs: quick_map(pool, pack_of, hash_strs)
    )

    def read(hash_str: str) -> None:
        indices = by_file[hash_str]
        seconds = [wanted[index][1] for index in indices]
        frames = read_frames(cache, hash_str, seconds, packs[hash_str])
        for index, jpeg in zip(indices, frames, strict=True):
            previews[index] = jpeg

    quick_map(pool, read, by_file)
    return previews


def read_frames(
    cache: CacheDir, hash_str: str, seconds: Sequence[int], path: RootedPath | None
) -> list[bytes | None]:
    """The frames nearest to these seconds of one MediaFile; None where there is no sound pack.

    `path`: where its pack lay a moment ago.
    """
    none: list[bytes | None] = [None] * len(seconds)
    for is_last in (False, True):  # once more if the pack was replaced and collected since
        if path is None:
            return none
        try:
            if len(_indexes) > _MOST_INDEXES:
                _indexes.clear()
            with PackReader(path, _indexes) as pack:
                nearest = [pack.nearest(second) for second in seconds]
                return [None if second is None else pack.read(second) for second in nearest]
        except CacheError as error:
            if is_last:
                _log.warning("no preview of %s: %s", hash_str, error)
        path = frame_pack(cache, hash_str)
    return none


def frame_pack(cache: CacheDir, hash_str: str) -> RootedPath | None:
    """Where the pack of a MediaFile's frames lies; None where no usable one is published."""
    path = cache_files.manifest_path(cache.root, hash_str, Stage.FRAMES, "")
    try:
        files = cache_files.read_as(path, ArtefactFiles)
    except CacheError as error:
        _log.warning("%s: %s", hash_str, error)
        return None
    return cache_files.data_path(cache.root, hash_str, files.file) if files else None


class SignedFrame(Signed, frozen=True):
    """Stored frames of a file, [`first_second`, `end_second`), of which `second` is shown first.

    `roots`: those of the licence key that asked for it; None: all. `key_id`: of that key; empty in
    addresses that an earlier version signed.
    """

    cache_dir: str
    hash_str: str
    second: int
    first_second: int
    end_second: int
    roots: tuple[str, ...] | None
    key_id: str = ""
