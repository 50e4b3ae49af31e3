"""A worker says where it stalls, and nothing while its work advances or rightly takes long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from workers import liveness
from workers.liveness import STALL_S, WIDE_STALL_S, Keeper, Signals, StallTimer

PLACE = "0 the sound at 9 s"


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(liveness, "time", clock)
    return clock


@pytest.fixture
def stall(clock: Clock) -> Iterator[StallTimer]:
    stall = StallTimer()
    yield stall
    stall.disarm()


def test_the_timer_runs_out_when_nothing_advances(stall: StallTimer, clock: Clock) -> None:
    assert not stall.is_running_out
    stall.arm()
    clock.now += 0.7 * STALL_S
    assert not stall.is_running_out
    clock.now += 0.1 * STALL_S
    assert stall.is_running_out
    stall.arm()
    assert not stall.is_running_out
    with stall.wide():
        clock.now += 0.7 * WIDE_STALL_S
        assert not stall.is_running_out
        clock.now += 0.1 * WIDE_STALL_S
        assert stall.is_running_out
    assert not stall.is_running_out


def test_only_a_worker_that_stalls_says_where_it_is(stall: StallTimer, clock: Clock) -> None:
    said: list[str] = []

    def renew(_lease: object, stalls_at: str) -> str:
        said.append(stalls_at)
        return "ok"

    ledger: Any = SimpleNamespace(renew=renew)
    keeper = Keeper(ledger, lambda _jobs: None, lambda: None, lambda: nullcontext([]))
    lease: Any = object()
    stall.arm()
    with keeper.holding(lease, Signals(place=PLACE), stall):
        for later_s in (10, 0.8 * STALL_S):
            clock.now += later_s
            keeper._renew()
    assert said == ["", PLACE]


def test_one_that_advances_does_not_hide_another_that_hangs(
    stall: StallTimer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    armed_to: list[float | None] = []

    def dump_later(seconds: float, *, exit: bool) -> None:
        assert exit
        armed_to.append(round(clock.now + seconds, 3))

    faulthandler = SimpleNamespace(
        dump_traceback_later=dump_later,
        cancel_dump_traceback_later=lambda: armed_to.append(None),
    )
    monkeypatch.setattr(liveness, "faulthandler", faulthandler)
    hung, ends_at = stall.another(), clock.now + STALL_S
    hung.arm()
    for _ in range(5):
        clock.now += 20
        stall.arm()
        with stall.wide():
            clock.now += 1
        assert armed_to[-1] == ends_at
    assert (hung.is_running_out, stall.is_running_out) == (True, False)
    hung.disarm()
    assert armed_to[-1] == clock.now + STALL_S
    stall.disarm()
    assert armed_to[-1] is None


def test_what_advances_beside_a_step_that_may_take_long_does_not_shorten_its_time(
    stall: StallTimer, clock: Clock
) -> None:
    """Decode threads of an Item go on while its own loads a model."""
    with stall.wide():
        clock.now += 10
        stall.arm()
        clock.now += 0.8 * STALL_S
        assert not stall.is_running_out


def test_only_the_item_that_stalls_says_where_it_is(stall: StallTimer, clock: Clock) -> None:
    said: list[tuple[object, str]] = []

    def renew(lease: object, stalls_at: str) -> str:
        said.append((lease, stalls_at))
        return "stop" if lease == "hung" else "ok"

    ledger: Any = SimpleNamespace(renew=renew)
    keeper = Keeper(ledger, lambda _jobs: None, lambda: None, lambda: nullcontext([]))
    hung, steady = Signals(place=PLACE), Signals(place="0 the pictures at 2 s")
    leases: Any = ("hung", "steady")
    other = stall.another()
    other.arm()
    clock.now += 0.8 * STALL_S
    stall.arm()
    with keeper.holding(leases[0], hung, other), keeper.holding(leases[1], steady, stall):
        keeper._renew()
    keeper._renew()
    other.disarm()
    assert said == [("hung", PLACE), ("steady", "")]
    assert (hung.stop, steady.stop) == (True, False)
