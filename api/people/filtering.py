"""Where people are to be seen: the frames that a search with `people_filter` may show."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from api.people.frame_filter import NO_FRAMES, FrameFilter
from api.people.people import People
from api.people.snapshot import CollectionSnapshot
from shared.cache.cache_dir import CacheDir
from shared.errors import BadInput, Missing
from shared.people.names import spoken


@dataclass(frozen=True, slots=True)
class Person:
    """A cluster of a collection, or all clusters that bear a name where `cluster_id` is None."""

    collection: str
    name: str | None = None
    cluster_id: str | int | None = None


def frames_with(
    people: People, cache: CacheDir, persons: Sequence[Person], mode: Literal["and", "or"]
) -> FrameFilter:
    """Frames that show every one of them, or any. Who is unknown is on no frame."""
    names = dict.fromkeys(person.collection for person in persons)
    snapshots = {name: _snapshot(people, cache, name) for name in names}
    of_each = [_frames(snapshots[person.collection], person) for person in persons]
    together = operator.and_ if mode == "and" else operator.or_
    return functools.reduce(together, of_each) if of_each else NO_FRAMES


def unknown(people: People, cache: CacheDir, persons: Sequence[Person]) -> list[str]:
    """A sentence for each of them that nobody knows."""
    return [why for person in persons if (why := _unknown(people, cache, person))]


def _unknown(people: People, cache: CacheDir, person: Person) -> str | None:
    snapshot = _snapshot(people, cache, person.collection)
    where = f"the collection {person.collection!r}"
    if snapshot is None:
        return f"There is no {where.removeprefix('the ')} in this cache folder."
    state = snapshot.state
    if person.cluster_id is None:
        if state.ids_named(person.name or ""):
            return None
        if spoken(person.name or "") in map(spoken, state.voice_names.values()):
            return f"{person.name!r} is only heard in {where}: no face has the name."
        return f"Nobody is named {person.name!r} in {where}."
    try:
        root = snapshot.root(person.cluster_id, "cluster_id")
    except Missing:
        return f"There is no cluster {person.cluster_id} in {where}."
    if root in state.voice_counts and root not in state.counts:
        return f"The cluster {person.cluster_id} in {where} is a voice: it has no face."
    return None


def _snapshot(people: People, cache: CacheDir, name: str) -> CollectionSnapshot | None:
    try:
        return people.open(cache, name)
    except (Missing, BadInput):  # a name that no collection can have is unknown, too
        return None


def _frames(snapshot: CollectionSnapshot | None, person: Person) -> FrameFilter:
    if snapshot is None:
        return NO_FRAMES
    if person.cluster_id is None:
        return snapshot.frames_of(snapshot.state.ids_named(person.name or ""))
    try:
        return snapshot.frames_of([snapshot.root(person.cluster_id, "cluster_id")])
    except Missing:
        return NO_FRAMES
