"""Where people are to be seen: the frames that a search with `people_filter` may show."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from api.people.frame_filter import NO_FRAMES, FrameFilter
from api.people.people import People
from api.people.standing import Standing
from shared.cache.cache_dir import CacheDir
from shared.errors import BadInput, Missing


@dataclass(frozen=True, slots=True)
class Person:
    """Of a collection: a cluster, or all that bear a name where `cluster_id` is None."""

    collection: str
    name: str | None = None
    cluster_id: str | int | None = None


def frames_with(
    people: People, cache_dir: str, persons: Sequence[Person], mode: Literal["and", "or"]
) -> FrameFilter:
    """Frames that show every one of them, or any. Who is unknown is on no frame.

    Raises BadInput where there is no such folder.
    """
    CacheDir.open(cache_dir, create=False)
    names = dict.fromkeys(person.collection for person in persons)
    standings = {name: _standing(people, cache_dir, name) for name in names}
    of_each = [_frames(standings[person.collection], person) for person in persons]
    together = operator.and_ if mode == "and" else operator.or_
    return functools.reduce(together, of_each) if of_each else NO_FRAMES


def _standing(people: People, cache_dir: str, name: str) -> Standing | None:
    try:
        return people.open(cache_dir, name)
    except (Missing, BadInput):  # a name that no collection can have is unknown, too
        return None


def _frames(standing: Standing | None, person: Person) -> FrameFilter:
    if standing is None:
        return NO_FRAMES
    if person.cluster_id is None:
        return standing.frames_of(standing.state.ids_named(person.name or ""))
    try:
        return standing.frames_of([standing.root(person.cluster_id, "cluster_id")])
    except Missing:
        return NO_FRAMES
