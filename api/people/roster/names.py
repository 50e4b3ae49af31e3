"""Everybody who has a name: by hand in a Collection, or by photos in its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from api.people.snapshot import CollectionSnapshot
from shared.people.names import spoken


class NamedClusters(NamedTuple):
    """Clusters of one Collection that bear one name."""

    name: str  # as written there
    ids: tuple[int, ...]  # ascending
    face_count: int
    voice_count: int


class FolderRoster(NamedTuple):
    """Who has a name in one CacheDir, by how names are spoken."""

    folder: str
    enrolled: Mapping[str, tuple[str, int]]  # the name as written, its photos
    collections: Sequence[tuple[str, Mapping[str, NamedClusters]]]
    unread: Sequence[str]  # names of the Collections that cannot be read


def named_in(snapshot: CollectionSnapshot) -> Mapping[str, NamedClusters]:
    """Who has a name in a Collection, by how it is spoken."""
    state = snapshot.state
    names = {**state.voice_names, **state.names}
    ids: dict[str, list[int]] = {}
    for id_, name in names.items():
        ids.setdefault(spoken(name), []).append(id_)
    counts = {id_: (state.counts.get(id_, 0), state.voice_counts.get(id_, 0)) for id_ in names}
    return {
        who: NamedClusters(
            names[max(of, key=counts.__getitem__)],
            tuple(sorted(of)),
            sum(counts[id_][0] for id_ in of),
            sum(counts[id_][1] for id_ in of),
        )
        for who, of in ids.items()
    }


@dataclass(slots=True)
class RosterEntry:
    """One person over all CacheDirs that were looked at."""

    name: str = ""
    is_enrolled: bool = False
    references: int = 0
    places: list[tuple[str, str, NamedClusters]] = field(default_factory=list)


def everybody(rosters: Sequence[FolderRoster]) -> list[RosterEntry]:
    """Who has a name, by name; a name is one person, whatever the case of its letters."""
    found: dict[str, RosterEntry] = {}
    for roster in rosters:
        for who, (name, photos) in roster.enrolled.items():
            entry = found.setdefault(who, RosterEntry())
            entry.name = entry.name or name
            entry.is_enrolled = True
            entry.references += photos
        for collection, names in roster.collections:
            for who, clusters in names.items():
                entry = found.setdefault(who, RosterEntry())
                entry.places.append((roster.folder, collection, clusters))
    for entry in found.values():
        if not entry.name:
            entry.name = max(entry.places, key=lambda place: place[2].face_count)[2].name
    return [found[who] for who in sorted(found)]
