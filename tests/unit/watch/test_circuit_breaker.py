"""What holds a folder up, and when work is tried again."""

from __future__ import annotations

import pytest

from workers.watcher.folder.state import CircuitBreaker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(clock)


def test_work_is_tried_again_after_a_pause_and_a_success_ends_it(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    assert (breaker.is_open, breaker.reason) == (False, "")
    assert breaker.trip("The disk is full.", one_file_first=True)
    assert breaker.is_open
    clock.now = 5.0
    assert not breaker.is_open
    assert (breaker.reason, breaker.one_file_first) == ("The disk is full.", True)
    breaker.succeed()
    assert not breaker.is_open
    assert (breaker.reason, breaker.one_file_first) == ("", False)


def test_many_that_meet_the_same_make_no_longer_pause(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    assert breaker.trip("full", one_file_first=True)
    assert not breaker.trip("full", one_file_first=True)
    clock.now = 5.0
    assert not breaker.is_open


def test_what_fails_again_pauses_twice_as_long_up_to_half_a_minute(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    for pause_s in (5, 10, 20, 30, 30):
        assert breaker.trip("full", one_file_first=False)
        clock.now += pause_s - 0.1
        assert breaker.is_open
        clock.now += 0.1
        assert (breaker.is_open, breaker.reason) == (False, "full")


def test_what_succeeds_during_the_pause_was_done_before(breaker: CircuitBreaker) -> None:
    breaker.trip("full", one_file_first=True)
    breaker.succeed()
    assert breaker.is_open


def test_a_user_ends_the_pause_at_once(breaker: CircuitBreaker) -> None:
    breaker.trip("full", one_file_first=True)
    breaker.reset()
    assert (breaker.is_open, breaker.reason) == (False, "")


def test_it_may_end_while_another_thread_asks_for_it(breaker: CircuitBreaker) -> None:
    breaker.trip("full", one_file_first=True)

    def ends_meanwhile() -> float:
        breaker.reset()
        return 1.0

    breaker.clock = ends_meanwhile
    assert breaker.is_open
    assert not breaker.is_open
