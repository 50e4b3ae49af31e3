"""Which frames may match: (MediaFile, grid second) pairs as one array, so that many cost little."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BITS = 32
_LOW = (1 << _BITS) - 1

Pairs = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FrameFilter:
    """The seconds of MediaFiles that a search may show. Immutable."""

    hashes: tuple[str, ...]  # may name files that no pair is about
    pairs: Pairs  # ascending, each once: place in `hashes` << 32 | second

    @classmethod
    def of(cls, seconds: Mapping[str, Iterable[int]]) -> FrameFilter:
        """A filter of seconds by hash_str."""
        pairs = [
            n << _BITS | second for n, these in enumerate(seconds.values()) for second in these
        ]
        return cls(tuple(seconds), np.unique(np.array(pairs, dtype=np.int64)))

    @classmethod
    def from_columns(
        cls, hashes: tuple[str, ...], files: NDArray[np.int32], seconds: NDArray[np.uint64]
    ) -> FrameFilter:
        """A filter of parallel columns, ordered by (file, second); a pair may stand there twice."""
        pairs = files.astype(np.int64) << _BITS | seconds.astype(np.int64)
        return cls(hashes, pairs[np.diff(pairs, prepend=-1) != 0])

    @property
    def is_empty(self) -> bool:
        return not len(self.pairs)

    @property
    def seconds(self) -> NDArray[np.int64]:
        """The grid second of each pair."""
        return self.pairs & _LOW

    def files(self) -> tuple[list[str], NDArray[np.int64]]:
        """The MediaFiles that pairs are about, and how many pairs each has, in their order."""
        files = self.pairs >> _BITS
        starts = np.flatnonzero(np.diff(files, prepend=-1))  # they ascend
        counts = np.diff(starts, append=len(files))
        return [self.hashes[n] for n in files[starts].tolist()], counts

    def __and__(self, other: FrameFilter) -> FrameFilter:
        """A filter of what both allow."""
        hashes, mine, others = _aligned(self, other)
        if len(mine) > len(others):
            mine, others = others, mine
        if not len(mine):
            return FrameFilter(hashes, mine)
        at = np.searchsorted(others, mine)
        at[at == len(others)] = 0
        return FrameFilter(hashes, mine[others[at] == mine])

    def __or__(self, other: FrameFilter) -> FrameFilter:
        """A filter of what either allows."""
        hashes, mine, others = _aligned(self, other)
        return FrameFilter(hashes, np.union1d(mine, others))


NO_FRAMES = FrameFilter((), np.empty(0, dtype=np.int64))


def _aligned(one: FrameFilter, other: FrameFilter) -> tuple[tuple[str, ...], Pairs, Pairs]:
    """The pairs of two filters over the same hashes. Filters of one Collection share theirs."""
    if one.hashes is other.hashes:
        return one.hashes, one.pairs, other.pairs
    places = {hash_str: n for n, hash_str in enumerate(one.hashes)}
    added = [hash_str for hash_str in other.hashes if hash_str not in places]
    hashes = (*one.hashes, *added)
    places |= {hash_str: n for n, hash_str in enumerate(added, start=len(one.hashes))}
    moved = np.array([places[hash_str] for hash_str in other.hashes], dtype=np.int64)
    files = moved[other.pairs >> _BITS] if len(moved) else other.pairs
    return hashes, one.pairs, np.sort(files << _BITS | (other.pairs & _LOW))
