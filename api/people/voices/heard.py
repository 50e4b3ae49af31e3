"""When the voices of files speak: read from speakers artefacts, and kept while these are the same.

A large collection takes long the first time, so a look has an end; the next one goes on from there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from api.cache.lru import LruCache
from api.quick_map import quick_map
from shared.cache import cache_files, speakers
from shared.cache.cache_dir import CacheDir
from shared.domain import Stage
from shared.errors import CacheError, NotAllowed

_log = logging.getLogger(__name__)
_KEPT = 5_000  # files; an hour of talk takes some 10 kB
_AT_ONCE = 64  # between two looks at the clock


class VoiceTurns(NamedTuple):
    """The turns of a file of which nobody doubts who speaks."""

    ids: NDArray[np.uint32]  # [n] of the speakers
    starts: NDArray[np.float64]  # [n] seconds
    ends: NDArray[np.float64]

    @property
    def seconds(self) -> float:
        return float((self.ends - self.starts).sum())


class HeardTurns:
    """The turns of many files, for one process; safe for threads."""

    def __init__(self) -> None:
        self._kept: LruCache[tuple[str, str, str], VoiceTurns] = LruCache(_KEPT)

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
        key = (str(cache.root), hash_str, file)
        found = self._kept.peek(key)
        if found is None:
            try:
                found = _read(cache, hash_str, file)
            except CacheError as error:
                _log.warning("%s: %s", hash_str, error)
                return None
        if found is None:
            return None
        kept = found
        return self._kept.get(key, lambda: kept)


def _read(cache: CacheDir, hash_str: str, file: str) -> VoiceTurns | None:
    """Turns of the speakers artefact of this name, else of the newest; None where there is none.

    Ids are handed on from one artefact of a file to the next. Raises CacheError.
    """
    with cache_files.clear_errors(cache.root):
        told = [m for m in cache.manifests(hash_str) if m.stage is Stage.SPEAKERS]
    if not told:
        return None
    manifest = max(told, key=lambda one: (one.file == file, one.made_at))
    try:
        found = speakers.read(cache, hash_str, manifest)
    except NotAllowed as error:  # a link in it leads elsewhere
        raise CacheError(error.message) from error
    ids = [speaker.id for speaker in found.speakers]
    turns = [turn for turn in found.turns if not turn.doubtful and ids[turn.speaker]]
    return VoiceTurns(
        np.array([ids[turn.speaker] for turn in turns], np.uint32),
        np.array([turn.start for turn in turns], np.float64),
        np.array([turn.end for turn in turns], np.float64),
    )
