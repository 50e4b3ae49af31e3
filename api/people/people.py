"""Collections kept at hand, brought up to date at each request by a look at their folders."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from api.people.standing import NOTHING_GROUPED, Standing
from shared.cache.cache_dir import CacheDir
from shared.errors import Missing
from shared.people.collection import Collection
from shared.people.edits import Edit, NewEdit
from shared.people.state import PeopleState

_KEPT = 32  # collections; 100,000 faces take some 20 MB


class _Kept:
    """One Collection at hand."""

    def __init__(self, cache: CacheDir, collection: Collection) -> None:
        self.editing = threading.Lock()
        self._cache = cache
        self._collection = collection
        self._loading = threading.Lock()
        self._version: object = None
        self._standing: Standing | None = None

    def standing(self) -> Standing:
        """As it is now. While one request loads it, others wait and find it done."""
        with self._loading:
            version = self._collection.version()  # before reading: what comes later is read again
            if self._standing is None or version != self._version:
                self._standing = self._read()
                self._version = version
            return self._standing

    def _read(self) -> Standing:
        clustering = self._collection.clustering() or NOTHING_GROUPED
        edits = self._collection.edits()
        if self._standing is None:
            state = PeopleState.of(clustering, edits)
        else:
            state = self._standing.state.following(clustering, edits)
        return Standing(self._cache, self._collection, state)


class People:
    """One a process; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()  # by folder, the longest unused first

    def open(self, cache_dir: str, name: str) -> Standing:
        """The collection as it is now.

        Raises BadInput where there is no such folder, Missing for an unknown collection.
        """
        return self._at_hand(cache_dir, name).standing()

    def all(self, cache_dir: str) -> list[Standing]:
        """Every collection of the folder, by name."""
        found = []
        for name in Collection.all_names(CacheDir.open(cache_dir, create=False).root):
            try:
                found.append(self.open(cache_dir, name))
            except Missing:  # deleted just now
                continue
        return found

    def edit(
        self, cache_dir: str, name: str, make: Callable[[Standing], NewEdit]
    ) -> tuple[Edit, Standing]:
        """Write the edit that `make` derives from how things stand; how they stand after it.

        Nothing is written when `make` raises. Edits of one collection are made one at a time here;
        other machines' come before or after in the log, and replaying it decides.
        """
        kept = self._at_hand(cache_dir, name)
        with kept.editing:
            standing = kept.standing()
            edit = standing.collection.append(make(standing))
            return edit, kept.standing()

    def _at_hand(self, cache_dir: str, name: str) -> _Kept:
        cache = CacheDir.open(cache_dir, create=False)
        collection = Collection.open(cache.root, name, create=False)
        key = str(collection.folder)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = _Kept(cache, collection)
            kept = self._kept[key]
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)  # requests under way keep what they hold
            return kept
