"""Users of a model have it one after another, in the order in which they ask."""

from __future__ import annotations

import threading

from tests.support.waiting import wait_for
from workers.models.turns import Turns


def test_who_has_waited_longest_is_next_and_nobody_is_beside_another() -> None:
    turns, order, beside = Turns(), list[int](), list[int]()
    inside = threading.Semaphore(1)

    def use(number: int) -> None:
        with turns:
            order.append(number)
            if not inside.acquire(blocking=False):
                beside.append(number)
            threading.Event().wait(0.01)
            inside.release()

    threads = [threading.Thread(target=use, args=(number,)) for number in range(5)]
    with turns:
        for number, thread in enumerate(threads):
            thread.start()
            wait_for(lambda count=number + 2: len(turns._line) == count, 5, "its place in line")
        assert order == []
    for thread in threads:
        thread.join(5)
    assert order == [0, 1, 2, 3, 4]
    assert beside == []


def test_who_gives_its_place_up_lets_the_next_one_on() -> None:
    turns = Turns()
    first, second, third = (turns.join() for _ in range(3))
    turns.leave(second)
    assert (first.is_set(), third.is_set(), turns.ended) == (True, False, 0)
    turns.leave(first)
    assert (third.is_set(), turns.ended) == (True, 1)
    turns.leave(third)
    with turns:
        assert turns.ended == 2


def test_a_turn_ends_with_an_error_too() -> None:
    turns = Turns()
    try:
        with turns:
            raise ValueError
    except ValueError:
        pass
    with turns:
        assert len(turns._line) == 1
