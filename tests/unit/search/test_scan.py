"""Exact scores: against numpy in float32, in chunks, on threads, over parts of the array."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from api.search.frames.estimates import score
from api.search.types import QueryVectors
from tests.support.search.search_data import random_units


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def reference(vectors, query: QueryVectors):
    rows = vectors.astype(np.float32)
    base = np.zeros(len(rows), np.float32)
    if query.picture is not None:
        base += rows @ query.picture
    if query.query is not None:
        base += np.float32(query.text_weight) * (rows @ query.query)
    final = base
    if query.exclude is not None:
        final = base - 0.5 * np.maximum(0, (rows @ query.exclude.T).max(axis=1))
    return base, final


QUERIES = {
    "text": {"query": True},
    "text, weighted": {"query": True, "text_weight": 5.0},
    "picture": {"picture": True},
    "picture and text": {"query": True, "picture": True, "text_weight": 0.5},
    "excluding": {"query": True, "exclude": 3},
    "all": {"query": True, "picture": True, "exclude": 20},
}


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize(("rows", "dim"), [(1, 8), (1000, 384), (150_000, 33)])
def test_scores_are_those_of_numpy_in_float32(pool, name: str, rows: int, dim: int) -> None:
    vectors = random_units(rows, dim, 1).astype(np.float16)
    wanted = QUERIES[name]
    query = QueryVectors(
        query=random_units(1, dim, 2)[0] if "query" in wanted else None,
        picture=random_units(1, dim, 3)[0] if "picture" in wanted else None,
        exclude=random_units(wanted["exclude"], dim, 4) if "exclude" in wanted else None,
        text_weight=wanted.get("text_weight", 1.0),
    )
    for found, expected in zip(
        score(vectors, [(0, rows)], query, pool, 2), reference(vectors, query), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=2e-6)


def test_only_the_wanted_rows_are_scored_end_to_end(pool) -> None:
    vectors = random_units(200_000, 16, 1).astype(np.float16)
    query = QueryVectors(query=random_units(1, 16, 2)[0])
    ranges = [(0, 3), (10, 11), (12, 70_000), (100_000, 199_999)]
    ranges += [(199_999, 200_000)]
    base, final = score(vectors, ranges, query, pool, 2)
    expected = np.concatenate([reference(vectors[a:b], query)[0] for a, b in ranges])
    np.testing.assert_allclose(base, expected, atol=2e-6)
    assert final is base


def test_final_never_exceeds_base(pool) -> None:
    vectors = random_units(5000, 16, 1).astype(np.float16)
    query = QueryVectors(query=random_units(1, 16, 2)[0], exclude=random_units(2, 16, 3))
    base, final = score(vectors, [(0, 5000)], query, pool, 2)
    assert (final <= base).all()
    assert (final == base).any(), "what is unlike the excluded concepts loses nothing"


def test_threads_that_others_keep_busy_are_not_waited_for() -> None:
    vectors = random_units(100_000, 16, 1).astype(np.float16)
    query = QueryVectors(query=random_units(1, 16, 2)[0])
    is_over = threading.Event()
    with ThreadPoolExecutor(1) as busy:
        other = busy.submit(is_over.wait, 60)
        base, _ = score(vectors, [(0, len(vectors))], query, busy, 2)
        assert not other.done()
        is_over.set()
    assert base.tolist() == score(vectors, [(0, len(vectors))], query, None, 1)[0].tolist()


def test_ten_thousand_stills_are_scored_in_few_steps(pool) -> None:
    vectors = random_units(20_000, 8, 1).astype(np.float16)
    ranges = [(row, row + 1) for row in range(0, 20_000, 2)]
    query = QueryVectors(query=random_units(1, 8, 2)[0])
    base, _ = score(vectors, ranges, query, pool, 2)
    np.testing.assert_allclose(base, reference(vectors[::2], query)[0], atol=2e-6)
