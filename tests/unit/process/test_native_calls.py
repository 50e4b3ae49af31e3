"""Native calls: in order, left at a stop, and never begun when they were left before."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

from shared.errors import Cancelled, ModelError
from tests.support.waiting import wait_for
from workers.context import NativeCalls

T = TypeVar("T")


def go_on() -> None:
    return


def stop() -> None:
    raise Cancelled


def call(calls: NativeCalls, function: Callable[[], T], checkpoint: Callable[[], None]) -> T:
    return calls.result(calls.begin(function), checkpoint)


def held(gate: threading.Event, began: threading.Event) -> Callable[[], str]:
    def hold() -> str:
        began.set()
        assert gate.wait(10)
        return "ended"

    return hold


def test_a_call_gives_its_result_its_error_and_runs_in_the_callers_context() -> None:
    calls = NativeCalls()
    task = contextvars.ContextVar("task", default="none")
    task.set("seven")
    assert call(calls, task.get, go_on) == "seven"

    def fail() -> None:
        raise ModelError("broken")

    with pytest.raises(ModelError, match="broken"):
        call(calls, fail, go_on)
    assert call(calls, threading.get_ident, go_on) != threading.get_ident()


def test_a_call_that_is_left_runs_out_and_the_next_one_waits_for_it() -> None:
    calls, gate, began = NativeCalls(), threading.Event(), threading.Event()
    order: list[str] = []

    def stop_once_it_runs() -> None:
        if began.is_set():
            raise Cancelled

    with pytest.raises(Cancelled):
        call(calls, held(gate, began), stop_once_it_runs)
    calls.afterwards(lambda: order.append("given back"))
    assert not calls.have_ended(0.05)

    def open_gate() -> None:
        order.append("waits")
        gate.set()

    assert call(calls, lambda: [*order, "next"], open_gate)[-2:] == ["given back", "next"]
    assert order[0] == "waits"
    assert calls.have_ended(5)


def test_a_call_that_is_left_before_it_began_never_runs() -> None:
    calls, gate, began = NativeCalls(), threading.Event(), threading.Event()
    ran: list[bool] = []
    calls.afterwards(held(gate, began))
    wait_for(began.is_set, 5, "the thread to be busy")
    with pytest.raises(Cancelled):
        call(calls, lambda: ran.append(True), stop)
    gate.set()
    assert calls.have_ended(5)
    assert ran == []


def test_a_process_without_calls_has_nothing_to_wait_for() -> None:
    assert NativeCalls().have_ended(0)


@pytest.mark.logs_errors
def test_what_fails_after_a_call_costs_no_later_call() -> None:
    calls = NativeCalls()
    calls.afterwards(lambda: [][1])
    assert call(calls, lambda: "answer", go_on) == "answer"
