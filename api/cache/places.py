"""Where the content of a MediaFile was seen."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

from shared.media import other_forms

_LATELY_S = 5.0
_MOST_NOTED = 100_000


class Place(NamedTuple):
    """A path, and whether it opens and still holds that content; None: that takes too long."""

    path: str
    opens: bool | None


class LatelyOpened:
    """Paths that held their content some seconds ago. Safe for threads."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], float] = {}  # (hash, path) -> time.monotonic

    def note(self, hash_str: str, path: str, does_open: bool) -> None:
        """Note whether a path holds that content now."""
        if not does_open:
            self._found.pop((hash_str, path), None)
            return
        if len(self._found) >= _MOST_NOTED:
            self._found.clear()
        self._found[hash_str, path] = time.monotonic()

    def has(self, hash_str: str, path: str, since: float | None = None) -> bool:
        """Whether the path held that content since then (time.monotonic; None: lately)."""
        if since is None:
            since = time.monotonic() - _LATELY_S
        return self._found.get((hash_str, path), float("-inf")) >= since


def opens_at(places: Mapping[str, bool | None], path: str) -> bool | None:
    """Whether a path opens, by what is known of places; one that is none of them was opened."""
    known = (form for form in (path, *other_forms(path)) if form in places)
    return places[form] if (form := next(known, "")) else True
