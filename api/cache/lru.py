"""A few things kept at hand, the longest unused let go first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """The values used last. Safe for threads; whoever uses a value that is let go keeps it."""

    def __init__(self, capacity: int, weight: Callable[[V], int] = lambda _: 1) -> None:
        """`capacity`: how much all values may weigh; without `weight`, how many they are."""
        self._capacity = capacity
        self._weight = weight
        self._total = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[K, V] = OrderedDict()  # the longest unused first

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value of a key. `make` is called where there is none, while others wait: be quick."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = make()
                self._total += self._weight(self._kept[key])
            self._kept.move_to_end(key)
            found = self._kept[key]
            while self._total > self._capacity:
                _, gone = self._kept.popitem(last=False)
                self._total -= self._weight(gone)
            return found

    def peek(self, key: K) -> V | None:
        """The value of a key where there is one; it counts as no use."""
        with self._lock:
            return self._kept.get(key)
