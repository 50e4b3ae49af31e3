"""What one request looked up on disk serves others that had begun by then, and nobody later."""

from __future__ import annotations

import time
from collections.abc import Sequence

from api.cache import view as view_module
from api.cache.view import Looks


class Disk:
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, keys: Sequence[str]) -> list[int]:
        self.asked += keys
        return [len(self.asked)] * len(keys)


def test_a_request_uses_what_was_looked_up_after_it_began() -> None:
    looks, disk = Looks[str, int](), Disk()
    early = time.monotonic()
    assert looks.since(early, ["a", "b", "a"], disk) == {"a": 2, "b": 2}
    assert looks.since(early, ["b", "c"], disk) == {"b": 2, "c": 3}
    assert disk.asked == ["a", "b", "c"]


def test_a_request_that_begins_later_looks_itself() -> None:
    looks, disk = Looks[str, int](), Disk()
    looks.since(time.monotonic(), ["a"], disk)
    later = time.monotonic()
    assert looks.since(later, ["a"], disk) == {"a": 2}
    assert looks.since(float("inf"), ["a"], disk) == {"a": 3}


def test_a_look_counts_from_when_it_began() -> None:
    looks, disk = Looks[str, int](), Disk()
    began: list[float] = []

    def slow(keys: Sequence[str]) -> list[int]:
        began.append(time.monotonic())  # a request that begins while the disk is asked
        return disk(keys)

    looks.since(time.monotonic(), ["a"], slow)
    assert looks.since(began[0], ["a"], disk) == {"a": 2}


def test_what_is_kept_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(view_module, "_MOST_KEPT", 10)
    looks, disk = Looks[str, int](), Disk()
    began = time.monotonic()
    for number in range(100):
        looks.since(began, [str(number)], disk)
    assert len(looks._found) <= 11
