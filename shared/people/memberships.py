"""Which Collections hold a MediaFile."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

from shared.errors import Missing
from shared.people.collection import Collection

_KEPT = 64  # Collections; 100,000 members take some 20 MB
_opened: OrderedDict[Path, Collection] = OrderedDict()  # each keeps what it has read
_lock = threading.Lock()


def collections_of(cache_root: Path, hashes: Iterable[str]) -> dict[str, list[str]]:
    """For each hash_str the names of the Collections that it is a member of, in order.

    Reads names and listings, and of the members only what is new.
    """
    found: dict[str, list[str]] = {hash_str: [] for hash_str in hashes}
    for name in Collection.all_names(cache_root) if found else ():
        try:
            members = _at_hand(cache_root, name).members()
        except Missing:  # deleted just now
            continue
        for hash_str in found.keys() & members.hashes:
            found[hash_str].append(name)
    return found


def _at_hand(cache_root: Path, name: str) -> Collection:
    collection = Collection.open(cache_root, name, create=False)
    with _lock:
        collection = _opened.setdefault(collection.folder, collection)
        _opened.move_to_end(collection.folder)
        while len(_opened) > _KEPT:
            _opened.popitem(last=False)
    return collection
