"""What was looked up on disk lately, for requests that had begun by then already.

A request sees what is there at some moment after it began. So what another one looked up meanwhile
is as good as a look of its own; nothing is ever older than the request. Where many ask at once
about the same files, each file is looked at a few times and not once for everybody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT")
FoundT = TypeVar("FoundT")

_MOST_KEPT = 10_000


class Looks(Generic[KeyT, FoundT]):
    """What looks found, each with the time when it began. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[KeyT, tuple[float, FoundT]] = {}

    def since(
        self,
        began: float,
        keys: Iterable[KeyT],
        look: Callable[[Sequence[KeyT]], Iterable[FoundT]],
    ) -> dict[KeyT, FoundT]:
        """What was found of each key since `began` (time.monotonic), by `look` for the rest."""
        wanted = list(dict.fromkeys(keys))
        with self._lock:
            known = [(key, self._found[key]) for key in wanted if key in self._found]
        fresh = {key: found for key, (at, found) in known if at >= began}
        if missing := [key for key in wanted if key not in fresh]:
            now = time.monotonic()
            found = dict(zip(missing, look(missing), strict=True))
            with self._lock:
                if len(self._found) > _MOST_KEPT:
                    self._found.clear()
                self._found.update((key, (now, value)) for key, value in found.items())
            fresh |= found
        return fresh
