"""A Collection as another process sees it."""

from __future__ import annotations

from shared.people.collection import Collection


def again(collection: Collection) -> Collection:
    """The same, with nothing in memory."""
    return Collection.open(collection.folder.parent.parent, collection.name, create=False)
