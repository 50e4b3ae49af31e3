"""Who the speakers of files are, over all Collections of a folder."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from api.people.snapshot import CollectionSnapshot
from shared.people.clustering import NO_CLUSTER
from shared.people.names import spoken


class SpokenPerson(NamedTuple):
    """Who a speaker of a file is in a Collection; unnamed ones too."""

    cluster_id: int
    name: str | None
    collection: str


@dataclass(frozen=True, slots=True)
class CollectionVoices:
    """The voices of one Collection that are there, by file."""

    collection: str
    media: tuple[str, ...]  # [m] hash_str, ascending
    first: NDArray[np.int64]  # [m + 1] where the voices of each begin, and where all end
    ids: NDArray[np.uint32]  # [n] of the speakers
    clusters: NDArray[np.int32]  # [n]
    names: Mapping[int, str]  # by cluster

    def of(self, hash_str: str) -> Iterator[tuple[int, SpokenPerson]]:
        """The speakers of a file, by id."""
        at = bisect_left(self.media, hash_str)
        if at == len(self.media) or self.media[at] != hash_str:
            return
        here = slice(*self.first[at : at + 2].tolist())
        for id_, cluster in zip(self.ids[here].tolist(), self.clusters[here].tolist(), strict=True):
            yield id_, SpokenPerson(cluster, self.names.get(cluster), self.collection)

    def called(self, name: str) -> Iterator[tuple[str, int]]:
        """The voices with this name, whatever the case of its letters: file and speaker's id."""
        wanted = spoken(name)
        clusters = [id_ for id_, known in self.names.items() if spoken(known) == wanted]
        found = np.flatnonzero(np.isin(self.clusters, clusters))
        files = np.searchsorted(self.first, found, side="right") - 1
        for file, id_ in zip(files.tolist(), self.ids[found].tolist(), strict=True):
            yield self.media[file], id_


def voices_in(snapshot: CollectionSnapshot) -> CollectionVoices:
    """The voices of a Collection whose speakers are somebody."""
    state, grouped = snapshot.state, snapshot.state.grouped_voices
    kept = np.flatnonzero(grouped.is_there & (state.voices != NO_CLUSTER))
    first = np.searchsorted(grouped.media_of[kept], np.arange(len(grouped.media) + 1))
    return CollectionVoices(
        snapshot.name,
        grouped.media,
        first,
        grouped.ids[kept],
        state.voices[kept],
        state.voice_names,
    )


class FolderVoices:
    """The voices of all Collections of one CacheDir, as they were when they were asked for."""

    def __init__(self, collections: Iterable[CollectionVoices], unread: Sequence[str] = ()) -> None:
        """`unread`: names of the Collections that cannot be read."""
        self._collections: Sequence[CollectionVoices] = [one for one in collections if len(one.ids)]
        self.warnings = [
            f"The collection {name!r} cannot be read: whom it names is not known here."
            for name in unread
        ]

    def of(self, hash_str: str) -> dict[int, SpokenPerson]:
        """Who the speakers of a file are, by their ids.

        Of several Collections one that has a name for the speaker counts, then the first by name.
        """
        found: dict[int, SpokenPerson] = {}
        for collection in self._collections:
            for id_, person in collection.of(hash_str):
                known = found.get(id_)
                if known is None or (known.name is None and person.name is not None):
                    found[id_] = person
        return found

    def called(self, name: str) -> dict[str, set[int]]:
        """Ids of the speakers with this name in any Collection, by file."""
        found: dict[str, set[int]] = {}
        for collection in self._collections:
            for hash_str, id_ in collection.called(name):
                found.setdefault(hash_str, set()).add(id_)
        return found
