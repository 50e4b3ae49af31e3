"""A segment's row is of itself and of what is said around it, in its stream."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.cache.transcripts import Segment
from shared.models.sentence_model import DIM
from workers.analysis.stages.transcript import rows_of

WORDS = ("one", "two", "three", "four")


def embed(texts: list[str]) -> NDArray[np.float32]:
    """An axis for each word."""
    return np.eye(DIM, dtype=np.float32)[[WORDS.index(text) for text in texts]]


def row(alone: str, *around: str) -> NDArray[np.float32]:
    sums = embed(list(around)).sum(axis=0)
    return (embed([alone])[0] + 0.5 * sums / np.linalg.norm(sums)) / 1.5


def test_neighbours_count_half() -> None:
    said = [Segment(start=float(n), end=n + 1.0, text=word) for n, word in enumerate(WORDS)]
    rows = rows_of(said, embed, lambda: None)
    assert rows is not None
    wanted = [
        row("one", "one", "two"),
        row("two", "one", "two", "three"),
        row("three", "two", "three", "four"),
        row("four", "three", "four"),
    ]
    np.testing.assert_allclose(rows, wanted, atol=1e-3)


def test_neighbours_are_those_in_time_and_in_the_same_stream() -> None:
    said = [
        Segment(start=5.0, end=6.0, text="three", stream=0),
        Segment(start=1.0, end=2.0, text="one", stream=0),
        Segment(start=2.0, end=3.0, text="four", stream=1),
        Segment(start=3.0, end=4.0, text="two", stream=0),
    ]
    rows = rows_of(said, embed, lambda: None)
    assert rows is not None
    np.testing.assert_allclose(rows[0], row("three", "three", "two"), atol=1e-3)
    np.testing.assert_allclose(rows[2], row("four", "four"), atol=1e-3)


@pytest.mark.parametrize("count", [1, 256, 600])
def test_the_work_on_a_long_transcript_can_be_stopped(count: int) -> None:
    said = [Segment(start=float(n), end=n + 1.0, text="one") for n in range(count)]
    looks: list[int] = []
    rows = rows_of(said, embed, lambda: looks.append(1))
    assert rows is not None
    assert len(rows) == count
    assert len(looks) == -(-count // 256)


def test_a_model_that_embeds_no_sentences_gives_no_rows() -> None:
    assert (
        rows_of([Segment(start=0.0, end=1.0, text="one")], lambda _texts: None, lambda: None)
        is None
    )
