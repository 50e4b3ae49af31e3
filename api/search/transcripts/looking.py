"""Looking through a log of transcripts of which none is deleted."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar

from api.search.index_log import SEARCH_WAIT_S, Key, Loader
from api.search.transcripts.log import LogDamaged, TranscriptSnapshot, TranscriptWriter

FoundT = TypeVar("FoundT")
TextLoader = Loader[str, Any, TranscriptSnapshot, TranscriptWriter]


def looked_through(
    loader: TextLoader,
    find: Callable[[TranscriptSnapshot], FoundT],
    keys_of: Callable[[FoundT], Collection[Key]],
) -> FoundT:
    """What is found in the newest that is there; a log that is damaged is made anew."""
    while True:
        snapshot = loader.bring_up(SEARCH_WAIT_S, retry=False)
        try:
            found = find(snapshot)
        except LogDamaged:
            loader.start_over(SEARCH_WAIT_S)
            continue
        if not loader.forget_deleted(keys_of(found), SEARCH_WAIT_S):
            return found
