"""Searches that wait together share a pass; one that is alone waits for nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from api.search.frames import ranking
from api.search.frames.estimates import Estimates
from api.search.frames.ranking import SharedPass
from api.search.types import QueryVectors
from tests.support.waiting import wait_for

ROWS, OTHER_ROWS = object(), object()


class Passes:
    """Estimates that are the number in the query; the first pass goes on until `open` is set."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.batches: list[list[float]] = []

    def __call__(self, queries: Sequence[QueryVectors]) -> list[Estimates]:
        numbers = [float(query.text_weight) for query in queries]
        self.batches.append(numbers)
        if len(self.batches) == 1:
            assert self.open.wait(20)
        if -1 in numbers:
            raise ValueError("no room")
        return [Estimates(np.full(3, number, np.float32)) for number in numbers]


def asking(number: float, away: int = 0) -> QueryVectors:
    return QueryVectors(
        query=np.ones(4, np.float32),
        text_weight=number,
        exclude=np.ones((away, 4), np.float32) if away else None,
    )


@pytest.fixture
def shared() -> SharedPass:
    return SharedPass()


@pytest.fixture
def together(shared: SharedPass) -> Callable[..., tuple[Passes, list[Future[Estimates]]]]:
    """Searches that all wait while the first one scans."""

    def run(*searches: tuple[QueryVectors, object], count: int = 3):
        passes = Passes()
        with ThreadPoolExecutor(len(searches)) as pool:
            found = []
            for n, (query, rows) in enumerate(searches):
                found.append(pool.submit(shared.estimate, query, rows, count, passes))
                wait_for(lambda n=n: passes.batches and len(shared._waiting) == n, 10, "its place")
            passes.open.set()
        return passes, found

    return run


def test_those_who_wait_are_estimated_together_and_get_their_own(together) -> None:
    passes, found = together(*((asking(n), ROWS) for n in range(8)))
    assert [sorted(batch) for batch in passes.batches] == [[0], [1, 2, 3, 4, 5, 6, 7]]
    assert [float(one.result().scores[0]) for one in found] == list(range(8))


def test_other_rows_have_a_pass_of_their_own(together) -> None:
    searches = [(asking(n), OTHER_ROWS if n % 2 else ROWS) for n in range(6)]
    passes, found = together(*searches)
    assert [sorted(batch) for batch in passes.batches] == [[0], [1, 3, 5], [2, 4]]
    assert [float(one.result().scores[0]) for one in found] == list(range(6))


def test_a_pass_is_no_larger_than_memory_and_vectors_allow(together, monkeypatch) -> None:
    monkeypatch.setattr(ranking, "_BYTES", 2 * 3 * 4)
    passes, _ = together(*((asking(n), ROWS) for n in range(6)))
    assert passes.batches == [[0], [1, 2], [3, 4], [5]]
    monkeypatch.setattr(ranking, "_BYTES", 1 << 20)
    passes, _ = together(*((asking(n, away=40), ROWS) for n in range(4)))
    assert passes.batches == [[0], [1], [2], [3]]


def test_what_fails_with_others_is_tried_alone_and_fails_for_nobody_else(together) -> None:
    passes, found = together(*((asking(n), ROWS) for n in (0, 1, -1)))
    assert [float(one.result().scores[0]) for one in found[:2]] == [0, 1]
    with pytest.raises(ValueError, match="no room"):
        found[2].result()
    assert passes.batches == [[0], [1, -1], [1], [-1]]


def test_who_is_not_taken_along_takes_no_room_from_those_who_are(together) -> None:
    waiting = [asking(1), asking(2, away=64), *map(asking, range(3, 23))]
    passes, _ = together((asking(0), ROWS), *((query, ROWS) for query in waiting))
    assert [len(batch) for batch in passes.batches] == [1, 21, 1]


def test_one_alone_scans_at_once(shared) -> None:
    passes = Passes()
    passes.open.set()
    for n in range(3):
        assert float(shared.estimate(asking(n), ROWS, 3, passes).scores[0]) == n
    assert passes.batches == [[0], [1], [2]]
