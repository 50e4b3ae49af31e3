"""A decoder that crashes, hangs or eats memory costs one ask and never the service."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from shared.errors import MediaMissing, MediaUnreadable
from tests.support.system.stopwatch import Stopwatch
from workers import children as children_module
from workers.children import MEMORY_BYTES, Children
from workers.query import grab


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    children = Children(1, grab.warm_up)
    yield children
    children.close()


def test_a_crash_costs_one_ask_and_the_next_is_answered(children: Children) -> None:
    with pytest.raises(MediaUnreadable, match="crashed"):
        children.run(10, os.abort)
    assert children.run(10, len, "abc") == 3


def test_a_hang_costs_its_limit(children: Children) -> None:
    assert children.run(10, len, "warm") == 4
    stopwatch = Stopwatch()
    with pytest.raises(MediaUnreadable, match=r"longer than 0\.5 s"):
        children.run(0.5, _hang)
    assert stopwatch.seconds() < 3
    assert children.run(10, len, "abc") == 3


def test_memory_beyond_the_limit_is_refused(children: Children) -> None:
    with pytest.raises(MediaUnreadable, match="memory"):
        children.run(10, bytearray, MEMORY_BYTES)


def test_a_child_that_is_full_is_replaced(children: Children) -> None:
    pid = children.run(10, os.getpid)
    with pytest.raises(MediaUnreadable, match="memory"):
        children.run(10, bytearray, MEMORY_BYTES)
    assert children.run(10, os.getpid) != pid


def test_a_child_ends_after_many_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children_module, "MAX_CALLS", 5)
    children = Children(1, grab.warm_up)
    try:
        assert len({children.run(10, os.getpid) for _ in range(12)}) == 3
    finally:
        children.close()


def test_an_error_of_ours_comes_through_as_it_is(children: Children) -> None:
    with pytest.raises(MediaMissing):
        children.run(10, _fail)


def test_an_idle_child_that_is_killed_is_replaced(children: Children) -> None:
    pid = children.run(10, os.getpid)
    os.kill(pid, 9)
    answers = []
    for _ in range(20):
        try:
            answers.append(children.run(10, os.getpid))
        except MediaUnreadable:
            continue
        break
    assert answers
    assert answers[0] != pid


def _fail() -> None:
    raise MediaMissing


def _hang() -> None:
    threading.Event().wait()
