"""Stills of an Item are embedded in batches of at least 16, wherever there are 16."""

from __future__ import annotations

import threading
from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from shared.errors import MediaUnreadable
from workers.analysis.stage import ModelBatches, even_parts
from workers.context import NativeCalls
from workers.liveness import Signals


@pytest.mark.parametrize("count", [1, 15, 16, 20, 31, 32, 47, 64])
def test_no_batch_is_a_remnant(count: int) -> None:
    parts = list(even_parts(list(range(count)), 16))
    assert [n for part in parts for n in part] == list(range(count))
    assert min(map(len, parts)) >= min(count, 16)
    assert max(map(len, parts)) < 32


def context_of_batches() -> Any:
    return SimpleNamespace(
        checkpoint=lambda: None,
        bench=SimpleNamespace(batches=NativeCalls()),
        signals=Signals(),
        counts=Counter(),
    )


def test_nothing_makes_no_batch() -> None:
    assert list(even_parts([], 16)) == []


def test_a_batch_that_the_model_has_when_a_files_time_is_over_is_not_lost() -> None:
    context = context_of_batches()
    has_begun, may_end = threading.Event(), threading.Event()

    def embed(pictures: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        has_begun.set()
        may_end.wait(10)
        return pictures

    batches = ModelBatches(context, embed, 1, "still")
    rows: list[float] = []
    batches.add(np.full(1, 1.0), lambda row: rows.append(float(row[0])))
    assert has_begun.wait(10)
    context.signals.file_until = 0.0
    with pytest.raises(MediaUnreadable):
        batches.add(np.full(1, 2.0), lambda row: rows.append(float(row[0])))
    context.signals.file_until = None
    may_end.set()
    batches.flush()
    assert rows == [1.0, 2.0]


def test_a_batch_that_never_began_waits_for_the_next_time() -> None:
    context = context_of_batches()
    batches = ModelBatches(context, lambda pictures: pictures, 1, "still")
    rows: list[float] = []
    may_end = threading.Event()
    context.bench.batches.begin(may_end.wait)  # of another Item
    batches.add(np.full(1, 1.0), lambda row: rows.append(float(row[0])))
    context.signals.file_until = 0.0
    with pytest.raises(MediaUnreadable):
        batches.flush()
    context.signals.file_until = None
    may_end.set()
    batches.flush()
    assert rows == [1.0]


@pytest.mark.parametrize("count", [1, 16, 31, 32, 47, 64])
def test_stills_are_embedded_while_others_still_come_and_no_batch_is_a_remnant(count: int) -> None:
    context = context_of_batches()
    sizes: list[int] = []

    def embed(pictures: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        sizes.append(len(pictures))
        return pictures

    batches = ModelBatches(context, embed, 8, "still", leaves_none=True)
    rows: dict[int, float] = {}
    for number in range(count):
        batches.add(
            np.full(1, number), lambda row, number=number: rows.update({number: float(row[0])})
        )
    assert bool(rows) is (count >= 48), "those of a batch are told when the next one begins"
    batches.flush()
    assert rows == {number: number for number in range(count)}
    assert sum(sizes) == count
    assert all(min(count, 16) <= size < 32 for size in sizes)
