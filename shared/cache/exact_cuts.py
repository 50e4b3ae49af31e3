"""Exact times of cuts that were found for a MediaFile, kept beside its scenes.

Derived from the media whenever somebody asks, so what is lost is found again.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

import msgspec

from shared.cache import cache_files, limits
from shared.cache.cache_dir import CacheDir
from shared.errors import CacheError
from shared.msgspec_decoding import UNDECODABLE
from shared.unusable_files import UnusableFile

Cuts = Mapping[int, float | None]  # second of the grid at which a scene begins -> exact seconds

_writing = threading.Lock()


class _KeptCuts(msgspec.Struct, frozen=True):
    frames: str  # data file of the scenes that they belong to
    cuts: dict[int, float | None]


def read(cache: CacheDir, hash_str: str, frames: str) -> Cuts:
    """What is known of the cuts of these scenes (`frames`: data file of their manifest).

    None: the media gave no time. Nothing where the file is missing, damaged or of other scenes.
    """
    path = cache_files.data_path(cache.root, hash_str, cache_files.EXACT_CUTS)
    try:
        kept = msgspec.json.decode(cache_files.read(path, limits.CUTS), type=_KeptCuts)
    except (OSError, UnusableFile, CacheError, *UNDECODABLE):
        return {}
    return kept.cuts if kept.frames == frames else {}


def add(cache: CacheDir, hash_str: str, frames: str, found: Cuts) -> None:
    """Keep what was found. Raises CacheError.

    What another process writes at the same moment may be lost, and is found again.
    """
    with _writing:
        cuts = dict(sorted({**read(cache, hash_str, frames), **found}.items()))
        raw = msgspec.json.encode(_KeptCuts(frames, cuts))
        with (
            cache_files.clear_errors(cache.root),
            cache_files.folder(cache.media_dir(hash_str)) as folder,
        ):
            cache_files.write_atomically(folder, cache_files.EXACT_CUTS, raw, "cuts")
