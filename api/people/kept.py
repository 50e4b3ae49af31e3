"""What is made of a Collection and kept while nothing changes: much smaller than a snapshot."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from api.people.snapshot import CollectionSnapshot

T = TypeVar("T")


class Digest(Generic[T]):
    """One thing made of one Collection. Safe for threads: one makes it, others wait for that."""

    def __init__(self, make: Callable[[CollectionSnapshot], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: tuple[object, T] | None = None

    def of(self, version: object, read: Callable[[], CollectionSnapshot]) -> T:
        """As of a version, which is that of before reading."""
        with self._lock:
            if self._made is None or self._made[0] != version:
                self._made = version, self._make(read())
            return self._made[1]
