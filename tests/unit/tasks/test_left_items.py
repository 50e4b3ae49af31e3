"""Items that are left to others: for a time, or until what they wait for is there."""

from __future__ import annotations

import pytest

from workers.presence.left_items import LeftItems, NotHere


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_item_is_left_for_its_time() -> None:
    clock = Clock()
    left = LeftItems(clock)
    left.add(("t", 0), NotHere("no model", 30))
    assert left.holds(("t", 0))
    assert not left.holds(("t", 1))
    assert left.reason == "no model"
    clock.now += 30
    assert not left.holds(("t", 0))
    assert left.reason == ""


def test_a_reason_is_looked_at_once_a_second_for_thousands_of_items_and_lets_all_go(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    left = LeftItems(clock)
    looks = 0
    is_back = False

    def look() -> bool:
        nonlocal looks
        looks += 1
        return is_back

    items = [("t", number) for number in range(2000)]
    for item in items:
        left.add(item, NotHere("/media is away", 30, look))
    assert caplog.text.count("/media is away") == 1
    left.add(("t", 9999), NotHere("no model"))
    for _ in range(3):
        clock.now += 1
        assert all(left.holds(item) for item in items)
    assert looks == 3
    is_back = True
    clock.now += 1
    assert not any(left.holds(item) for item in items)
    assert looks == 4
    assert left.holds(("t", 9999)), "it waits for something else"
