"""Whether a worker has room for another Item goes by the threads at work."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from workers.decode_pool import Cores


@pytest.fixture
def cores() -> Cores:
    return Cores(3)


def test_an_item_takes_all_cores_until_it_is_known_how_many_it_needs(cores: Cores) -> None:
    item = cores.enter()
    assert not cores.has_room
    with item.busy():
        assert cores.has_room
    assert cores.has_room, "it goes on by itself"
    cores.leave(item)
    assert cores.is_unused


def test_there_is_room_while_fewer_threads_work_than_there_are_cores(cores: Cores) -> None:
    first = cores.enter()
    with ExitStack() as threads:
        for _ in range(3):
            threads.enter_context(first.busy())
        assert not cores.has_room
        threads.pop_all().close()
    second = cores.enter()
    with first.busy(), second.busy():
        assert cores.has_room
        with first.busy():
            assert not cores.has_room
    assert not cores.is_unused


def test_each_item_counts_as_a_thread_although_it_waits(cores: Cores) -> None:
    for _ in range(3):
        assert cores.has_room
        with cores.enter().busy():
            pass
    assert not cores.has_room


def test_beside_one_that_must_be_alone_there_is_no_room(cores: Cores) -> None:
    item = cores.enter(alone=True)
    with item.busy():
        assert not cores.has_room
    assert not cores.wait_for_room(0, of_all=False)
    cores.leave(item)
    assert cores.wait_for_room(0, of_all=True)


def test_with_one_core_there_is_room_for_one_item() -> None:
    cores = Cores(1)
    assert cores.wait_for_room(0, of_all=False)
    with cores.enter().busy():
        assert not cores.has_room
