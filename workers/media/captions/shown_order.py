"""Brings what lies beside pictures from the order of coding into that of showing."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from workers.media.captions.caption_data import Pair

_REORDERED = 32  # packets in which pictures come in another order than they are shown
_Timed = tuple[float, list[Pair]]


class ShownOrder:
    """Of one stream; one of `by_time` and `by_kind` is used for all its pictures."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, list[Pair]]] = []  # heap; a number for equal times
        self._count = 0
        self._last_s = float("-inf")

    def by_time(self, seconds: float, pairs: list[Pair]) -> Iterator[_Timed]:
        """Take what is shown then; what is ready."""
        if pairs:
            self._wait(seconds, pairs)
        if len(self._waiting) > _REORDERED:
            yield self._first()

    def by_kind(self, seconds: float, pairs: list[Pair], *, waits: bool) -> Iterator[_Timed]:
        """As `by_time`, where times are guessed: a picture that `waits` comes before the next one.

        In MPEG-2 these are all but B pictures; of those FFmpeg misses the time now and then.
        """
        if not waits:
            yield self._in_time(seconds), pairs
            return
        yield from self.rest()
        self._wait(seconds, pairs)

    def rest(self) -> Iterator[_Timed]:
        """All that has waited."""
        while self._waiting:
            yield self._first()

    def _wait(self, seconds: float, pairs: list[Pair]) -> None:
        self._count += 1
        heapq.heappush(self._waiting, (seconds, self._count, pairs))

    def _first(self) -> _Timed:
        seconds, _, pairs = heapq.heappop(self._waiting)
        return self._in_time(seconds), pairs

    def _in_time(self, seconds: float) -> float:
        self._last_s = max(self._last_s, seconds)
        return self._last_s
