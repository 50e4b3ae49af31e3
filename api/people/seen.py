"""Who is seen in stretches of files, over all collections of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from api.people.people import People
from shared.cache.cache_dir import CacheDir


class Sighting(NamedTuple):
    """A person of a collection; unnamed ones too."""

    collection: str
    cluster_id: int
    name: str | None


def people_seen(
    people: People, cache: CacheDir, stretches: Sequence[tuple[str, int, int]]
) -> tuple[list[list[Sighting]], list[str]]:
    """People in each stretch (hash_str, first second, the one it ends before), most faces first.

    With them the names of the collections that cannot be read.
    """
    found: list[list[Sighting]] = [[] for _ in stretches]
    snapshots, unread = people.readable(cache) if stretches else ([], [])
    for snapshot in snapshots:
        for seen, (hash_str, first, end) in zip(found, stretches, strict=True):
            for root in snapshot.seen_in(hash_str, first, end):
                seen.append(Sighting(snapshot.name, root, snapshot.state.names.get(root)))
    return found, unread
