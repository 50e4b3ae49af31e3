"""From the files of an analyze request to the Items that workers share."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import TypeVar

from shared.domain import AnalyzeSpec, FileWork
from shared.media import MediaType, media_type_of
from shared.task_records import NewItem

STILLS_PER_ITEM = 64
_STILLS_WORTH_A_BATCH = 16
_SHARES = 4  # Items that even a short list of stills is cut into, so that workers share it

T = TypeVar("T")


def visual_works(paths: Iterable[tuple[str, str]]) -> list[FileWork]:
    """Work of (client's path, our path) pairs, each file once.

    An unknown extension counts as a video: decoding decides, and says why it fails.
    """
    works: dict[str, FileWork] = {}
    for client_path, path in paths:
        if path not in works:
            kind = media_type_of(path) or MediaType.VIDEO
            works[path] = FileWork(path=path, client_path=client_path, media_type=kind)
    return list(works.values())


def analyze_items(
    works: Sequence[FileWork], *, cache_dir: str, model: str, force: bool
) -> list[NewItem]:
    """One Item a video; stills in batches that are even, large enough and shared."""
    stills: list[FileWork] = []
    groups: list[tuple[FileWork, ...]] = []
    for work in works:
        if work.media_type is MediaType.IMAGE:
            stills.append(work)
        else:
            groups.append((work,))
    groups += [tuple(group) for group in _even_groups(stills)]
    return [
        NewItem.analyze(
            AnalyzeSpec(cache_dir=cache_dir, files=group, visual_model=model, force=force)
        )
        for group in groups
    ]


def _even_groups(stills: Sequence[T]) -> list[Sequence[T]]:
    if not stills:
        return []
    size = min(STILLS_PER_ITEM, max(_STILLS_WORTH_A_BATCH, math.ceil(len(stills) / _SHARES)))
    count = math.ceil(len(stills) / size)
    borders = [round(n * len(stills) / count) for n in range(count + 1)]
    return [stills[start:end] for start, end in itertools.pairwise(borders)]
