"""Where the content of a MediaFile was seen."""

from __future__ import annotations

import time
from typing import NamedTuple

_LATELY_S = 5.0
_MOST_NOTED = 100_000


class Place(NamedTuple):
    """A path, and whether it opens and still holds that content."""

    path: str
    opens: bool


class LatelyOpened:
    """Paths that held their content some seconds ago. Safe for threads."""

    def __init__(self) -> None:
        self._found: dict[str, float] = {}  # time.monotonic

    def note(self, path: str, does_open: bool) -> None:
        """Note whether a path holds its content now."""
        if not does_open:
            self._found.pop(path, None)
            return
        if len(self._found) >= _MOST_NOTED:
            self._found.clear()
        self._found[path] = time.monotonic()

    def has(self, path: str) -> bool:
        """Whether the path held its content lately."""
        return time.monotonic() - self._found.get(path, float("-inf")) < _LATELY_S
