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
    keeper = Keeper(ledger, lambda _jobs: None, lambda: None, lambda: nullcontext([]), stall)
    lease: Any = object()
    stall.arm()
    with keeper.holding(lease, Signals(place=PLACE)):
        for later_s in (10, 0.8 * STALL_S):
            clock.now += later_s
            keeper._renew()
    assert said == ["", PLACE]
