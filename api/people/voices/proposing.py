"""Proposals of Collections, kept until something of the Collection changes."""

from __future__ import annotations

import threading
from concurrent.futures import Executor
from typing import NamedTuple

from api.cache.caches import LruCache
from api.people.snapshot import CollectionSnapshot
from api.people.voices.heard import HeardTurns
from api.people.voices.proposals import MOST_FILES, Proposal, files_to_hear, proposals
from shared.opening import RootedPath
from shared.people.state import PeopleState

_CAPACITY = 8  # Collections
_WITHIN_S = 5.0  # for reading what was not read before


class Proposed(NamedTuple):
    """What is proposed, and of how many files it is told."""

    found: list[Proposal]
    files: int  # that have faces and voices
    asked: int  # of these, that are looked at at most
    reached: int  # of these, that were come to in time
    unread: int  # of these, whose speakers cannot be read
    beyond: int  # likewise, that have more voices and faces than is looked at in all


class Proposing:
    """Finds proposals, for one process; safe for threads."""

    def __init__(self) -> None:
        self._turns = HeardTurns()
        self._kept: LruCache[RootedPath, _KeptProposals] = LruCache(_CAPACITY)

    def of(self, snapshot: CollectionSnapshot, pool: Executor) -> Proposed:
        """As of a snapshot. `pool`: threads for small reads in its folder."""
        kept = self._kept.get(snapshot.collection.folder, lambda: _KeptProposals(self._turns))
        return kept.of(snapshot, pool)


class _KeptProposals:
    """Proposals of one Collection. While one request finds them, others wait."""

    def __init__(self, turns: HeardTurns) -> None:
        self._turns = turns
        self._lock = threading.Lock()
        self._found: tuple[PeopleState, Proposed] | None = None

    def of(self, snapshot: CollectionSnapshot, pool: Executor) -> Proposed:
        with self._lock:
            if self._found is not None and self._found[0] is snapshot.state:
                return self._found[1]
            files = files_to_hear(snapshot)
            asked = files[:MOST_FILES]
            turns = self._turns.of(snapshot.cache, asked, pool, _WITHIN_S)
            unread = sum(of_file is None for of_file in turns.values())
            found, beyond = proposals(snapshot, turns)
            told = Proposed(found, len(files), len(asked), len(turns), unread, beyond)
            # The next look goes on from there. A file that is made readable is another one.
            self._found = (snapshot.state, told) if len(turns) == len(asked) else None
            return told
