"""Numbered stills that come one by one: frames of a sequence, perhaps, that is still arriving."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from shared.media import MediaType
from shared.watch.folders import WatchFolder
from workers.watcher.scan.names import NameRules
from workers.watcher.scan.sequences import SHORTEST, sequence_key

_PAUSE_SHARE = 6  # times the settling time: renderers write a frame now and then

_Key = tuple[str, str, str]  # directory, and what the names share


@dataclass(slots=True)
class _Arrival:
    stills: int
    last_at: float


class ArrivingStills:
    """Numbered stills of one folder, counted by what their names share."""

    def __init__(
        self, folder: WatchFolder, rules: NameRules, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.clock = clock
        self._are_grouped = folder.image_sequences != "stills"
        self._rules = rules
        self._longest_s = _PAUSE_SHARE * folder.settle_seconds
        self._arrivals: dict[_Key, _Arrival] = {}

    def __len__(self) -> int:
        return len(self._arrivals)

    def note(self, path: str) -> None:
        """A still is new: its neighbours may be frames of the same sequence."""
        if key := self._key(path):
            arrival = self._arrivals.setdefault(key, _Arrival(0, 0.0))
            arrival.stills, arrival.last_at = arrival.stills + 1, self.clock()

    def may_continue(self, path: str, known_since: float) -> bool:
        """Whether a still, known since then (Unix seconds), has neighbours that still arrive."""
        key = self._key(path)
        arrival = self._arrivals.get(key) if key else None
        if key is None or arrival is None or arrival.stills < 2:
            return False
        if self.clock() - arrival.last_at >= self._longest_s:
            del self._arrivals[key]
            return False
        waited_s = abs(time.time() - known_since)
        return waited_s < SHORTEST * self._longest_s  # by then they would be a sequence

    def forget_old(self) -> None:
        """Forget arrivals that are over: a still that comes now belongs to another sequence."""
        oldest = self.clock() - self._longest_s
        self._arrivals = {
            key: arrival for key, arrival in self._arrivals.items() if arrival.last_at > oldest
        }

    def _key(self, path: str) -> _Key | None:
        directory, name = os.path.split(path)
        if not self._are_grouped or self._rules.media_type(name) is not MediaType.IMAGE:
            return None
        shared = sequence_key(name)
        return (directory, *shared) if shared else None
