"""The voices of files in collections, once nothing tells any more who speaks there."""

from __future__ import annotations

import logging
from collections.abc import Set
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from shared.cache.cache_dir import CacheDir
from shared.domain import Stage
from shared.errors import CacheError
from shared.people.collection import Collection
from shared.people.voices import VoiceGrouping

_log = logging.getLogger(__name__)


def forget_voices(cache: CacheDir, hashes: Set[str], deleted: Set[str]) -> list[str]:
    """Take the rows of voices out of all collections, also out of their former groupings.

    Of these files: where nothing tells who speaks, and, where speakers were `deleted`, those that
    a collection has of what is not published now. Their ids and clusters are remembered, so that
    they come back. Returns a sentence for each collection that could not be changed.
    """
    failed = []
    for name in Collection.all_names(cache.root):
        collection = Collection(cache.root, name)
        try:
            if not hashes.isdisjoint(collection.voices().media):
                collection.voice_files.rewrite(partial(_forgotten, cache, hashes, deleted))
        except CacheError as error:
            _log.warning("%s keeps voices of deleted speakers: %s", name, error.message)
            failed.append(
                f"The collection {name!r} keeps their voices until it is grouped anew: "
                f"{error.message}"
            )
    return failed


def _forgotten(
    cache: CacheDir, hashes: Set[str], deleted: Set[str], grouping: VoiceGrouping
) -> VoiceGrouping:
    is_gone = np.zeros(len(grouping.media), np.bool_)
    for number, hash_str in enumerate(grouping.media):
        if hash_str in hashes and (file := grouping.media_files[number]):
            manifests = cache.manifests(hash_str)
            told = {found.file for found in manifests if found.stage is Stage.SPEAKERS}
            is_gone[number] = not told or (hash_str in deleted and file not in told)
    return _without(grouping, is_gone) if is_gone.any() else grouping


def _without(grouping: VoiceGrouping, is_gone: NDArray[np.bool_]) -> VoiceGrouping:
    """The grouping with the voices of these MediaFiles as of such that have no speakers."""
    stays = ~is_gone[grouping.media_of]
    files = zip(grouping.media_files, is_gone.tolist(), strict=True)
    return replace(
        grouping,
        media_files=tuple("" if gone else file for file, gone in files),
        numbers=np.where(stays, grouping.numbers, 0).astype(np.int32),
        rows=np.where(stays[:, None], grouping.rows, 0).astype(np.float16),
        seconds=np.where(stays, grouping.seconds, 0).astype(np.float32),
        excerpts=np.where(stays[:, None], grouping.excerpts, 0).astype(np.float32),
        is_there=grouping.is_there & stays,
    )
