"""The lite model finds ImageNet-like things in real pictures by text; shuffled vectors do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.quality.search.pictures import embedded, held_out_pool, packages_of, picture_pool
from tests.quality.search.retrieval import Outcome, Query, rank_all, read_queries, top
from tests.support.lite_models import lite_model
from tests.support.skip_or_fail import fetched_or_skipped

# The first run downloads 270 MB.
pytestmark = [pytest.mark.quality, pytest.mark.timeout(600)]

WANTED = 0.85
SHUFFLES = 20
SETS = {  # name -> file of queries, pool
    "the queries the method was fitted on": ("conse_queries.json", picture_pool),
    "held-out queries": ("conse_holdout.json", held_out_pool),
}

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Run:
    """One set of queries and its pool, embedded."""

    title: str
    queries: list[Query]
    query_rows: Rows
    names: list[str]
    rows: Rows
    packages: set[str]

    def outcomes(self, rows: Rows | None = None) -> list[Outcome]:
        rows = self.rows if rows is None else rows
        return rank_all(self.queries, self.query_rows, self.names, rows)


@pytest.fixture(scope="module", params=list(SETS))
def run(request: pytest.FixtureRequest) -> Run:
    file, gather = SETS[request.param]
    queries = read_queries(file)
    lite = lite_model()
    with fetched_or_skipped():
        pool = gather()
    unknown = {name for query in queries for name in query.right} - set(pool)
    assert not unknown, f"answers that are no pictures of the pool: {sorted(unknown)}"
    rows = embedded(lite, pool)
    query_rows = lite.embed_texts([query.text for query in queries])
    return Run(request.param, queries, query_rows, list(pool), rows, packages_of(pool))


def test_the_pool_and_the_queries_are_large_enough(run: Run) -> None:
    assert len(run.names) >= 120
    assert len(run.packages) >= 3
    assert len({query.text for query in run.queries}) >= 30


@pytest.mark.short
def test_things_are_found_among_a_few_pictures() -> None:
    """Every fourth held-out query, among one right answer of each."""
    lite, queries = lite_model(), read_queries(SETS["held-out queries"][0])[::4]
    with fetched_or_skipped():
        pool = held_out_pool()
    few = {name: pool[name] for query in queries for name in sorted(query.right)[:1]}
    query_rows = lite.embed_texts([query.text for query in queries])
    outcomes = rank_all(queries, query_rows, list(few), embedded(lite, few))
    print(f"{len(queries)} queries over {len(few)} pictures: top-1 {top(outcomes, 1):.3f}")
    assert len(few) >= 10
    assert top(outcomes, 1) >= WANTED


@pytest.mark.short
def test_no_held_out_query_is_one_that_the_method_was_fitted_on() -> None:
    fitted, held_out = (
        {query.text.removeprefix("a ").removeprefix("an ") for query in read_queries(file)}
        for file, _ in SETS.values()
    )
    assert not fitted & held_out


def test_text_finds_things_like_imagenets_among_real_pictures(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = run.outcomes()
    with capsys.disabled():
        scores = ", ".join(f"top-{k} {top(outcomes, k):.3f}" for k in (1, 3, 5))
        print(f"\n{run.title}: {len(outcomes)} over {len(run.names)} pictures: {scores}")
        for missed in (outcome for outcome in outcomes if outcome.rank > 3):
            print(f"missed {missed.query.text!r}: {missed.rank}th, after {missed.ranking[:3]}")
    assert top(outcomes, 3) >= WANTED


def test_shuffled_vectors_fail_the_same_test(run: Run) -> None:
    random = np.random.default_rng(7)
    scores = [top(run.outcomes(random.permutation(run.rows)), 3) for _ in range(SHUFFLES)]
    print(f"{run.title}, shuffled: top-3 {np.mean(scores):.3f}, {max(scores):.3f} at best")
    assert max(scores) < WANTED / 2
