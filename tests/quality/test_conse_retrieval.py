"""The lite model finds ImageNet-like things in real pictures by text; shuffled vectors do not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.registry_packages import FetchFailed
from tests.lite import lite_model
from tests.quality.pictures import picture_pool, pixels
from tests.quality.retrieval import Query, rank_all, read_queries, top
from workers.models.protocols import VisualEmbedder

pytestmark = pytest.mark.quality

WANTED = 0.85
SHUFFLES = 20

Rows = NDArray[np.float32]


@pytest.fixture(scope="module")
def lite() -> VisualEmbedder:
    return lite_model()


@pytest.fixture(scope="module")
def pictures(lite: VisualEmbedder) -> tuple[list[str], Rows]:
    try:
        pool = picture_pool()
    except FetchFailed as error:
        pytest.skip(error.message)
    prepared = np.stack([lite.prepare(pixels(path)) for path in pool.values()])
    batches = np.array_split(prepared, len(prepared) // lite.batch_size)
    return list(pool), np.concatenate([lite.embed_images(batch) for batch in batches])


@pytest.fixture(scope="module")
def queries(pictures: tuple[list[str], Rows]) -> list[Query]:
    found = read_queries()
    unknown = {name for query in found for name in query.right} - set(pictures[0])
    assert not unknown, f"answers that are no pictures of the pool: {sorted(unknown)}"
    return found


@pytest.fixture(scope="module")
def query_rows(lite: VisualEmbedder, queries: list[Query]) -> Rows:
    return lite.embed_texts([query.text for query in queries])


def test_the_pool_and_the_queries_are_large_enough(
    pictures: tuple[list[str], Rows], queries: list[Query]
) -> None:
    assert len(pictures[0]) >= 120
    assert len({query.text for query in queries}) >= 30


def test_text_finds_things_like_imagenets_among_real_pictures(
    pictures: tuple[list[str], Rows],
    queries: list[Query],
    query_rows: Rows,
    capsys: pytest.CaptureFixture[str],
) -> None:
    outcomes = rank_all(queries, query_rows, *pictures)
    with capsys.disabled():
        scores = ", ".join(f"top-{k} {top(outcomes, k):.3f}" for k in (1, 3, 5))
        print(f"\n{len(outcomes)} queries over {len(pictures[0])} pictures: {scores}")
        for missed in (outcome for outcome in outcomes if outcome.rank > 3):
            print(f"missed {missed.query.text!r}: {missed.rank}th, after {missed.ranking[:3]}")
    assert top(outcomes, 3) >= WANTED


def test_shuffled_vectors_fail_the_same_test(
    pictures: tuple[list[str], Rows], queries: list[Query], query_rows: Rows
) -> None:
    names, rows = pictures
    random = np.random.default_rng(7)
    scores = [
        top(rank_all(queries, query_rows, names, random.permutation(rows)), 3)
        for _ in range(SHUFFLES)
    ]
    print(f"shuffled: top-3 {np.mean(scores):.3f} on average, {max(scores):.3f} at best")
    assert max(scores) < WANTED / 2
