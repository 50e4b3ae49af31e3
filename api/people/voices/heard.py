"""When the voices of files speak: read from speakers artefacts, and kept while these are the same.

A large collection takes long the first time, so a look has an end; the next one goes on from there.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from api.cache.caches import LruCache
from api.folders import quick_map
from shared.cache import cache_files, speakers
from shared.cache.cache_dir import CacheDir
from shared.domain import Manifest
from shared.errors import CacheError, NotAllowed

_log = logging.getLogger(__name__)
_KEPT_BYTES = 64 << 20  # an hour of talk takes some 10 kB
_AT_ONCE = 64  # between two looks at the clock


class VoiceTurns(NamedTuple):
    """The turns of a file of which nobody doubts who speaks, those that hold frames of the grid."""

    ids: NDArray[np.uint32]  # [n] of the speakers
    firsts: NDArray[np.int32]  # [n] the first frame of the grid in each
    ends: NDArray[np.int32]  # [n] the one behind its last

    @property
    def frames(self) -> int:
        return int((self.ends - self.firsts).sum(dtype=np.int64))


def _bytes(turns: VoiceTurns) -> int:
    return sum(column.nbytes for column in turns)


class HeardTurns:
    """The turns of many files, for one process; safe for threads."""

    def __init__(self) -> None:
        self._kept: LruCache[tuple[str, str, str], VoiceTurns] = LruCache(_KEPT_BYTES, _bytes)

    def of(
        self,
        cache: CacheDir,
        files: Sequence[tuple[str, str]],
        pool: Executor,
        within_s: float,
    ) -> dict[str, VoiceTurns | None]:
        """Turns by hash_str of (hash_str, name of its speakers artefact), in order.

        None: they cannot be read. Files that were not come to in time are left out.
        """
        until = time.monotonic() + within_s
        found: dict[str, VoiceTurns | None] = {}
        for at in range(0, len(files), _AT_ONCE):
            some = files[at : at + _AT_ONCE]
            turns = quick_map(pool, lambda file: self._turns(cache, *file), some)
            found.update(zip((hash_str for hash_str, _ in some), turns, strict=True))
            if time.monotonic() > until:
                break
        return found

    def _turns(self, cache: CacheDir, hash_str: str, file: str) -> VoiceTurns | None:
        """Turns of the speakers artefact of this name, else of the one that counts.

        Ids are handed on from one artefact of a file to the next.
        """
        found = self._kept.peek((str(cache.root), hash_str, file))
        if found is None:
            try:
                with cache_files.clear_errors(cache.root):
                    manifest = speakers.newest(cache, hash_str)
                if manifest is None:
                    return None
                file = manifest.file
                found = self._kept.peek((str(cache.root), hash_str, file))
                found = _read(cache, hash_str, manifest) if found is None else found
            except CacheError as error:
                _log.warning("%s: %s", hash_str, error)
                return None
        kept = found
        return self._kept.get((str(cache.root), hash_str, file), lambda: kept)


def _read(cache: CacheDir, hash_str: str, manifest: Manifest) -> VoiceTurns:
    """Raises CacheError."""
    try:
        found = speakers.read(cache, hash_str, manifest)
    except NotAllowed as error:  # a link in it leads elsewhere
        raise CacheError(error.message) from error
    turns = {  # once each: very many may hold the same frames
        (found.speakers[turn.speaker].id, math.ceil(turn.start), math.ceil(turn.end))
        for turn in found.turns
        if not turn.doubtful
    }
    told = sorted((first, end, id_) for id_, first, end in turns if end > first)
    return VoiceTurns(
        np.array([id_ for *_, id_ in told], np.uint32),
        np.array([first for first, *_ in told], np.int32),
        np.array([end for _, end, _ in told], np.int32),
    )
