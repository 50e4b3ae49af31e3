"""What a search reads is bounded: all codes once, few stored rows, next to nothing by calls.

The bounds are a little above what was read on 28 November 2026, which stands beside them. Who
breaks one has made every search dearer, whatever the clock says of a small folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numkong
import numpy as np
import pytest

from api.search.types import QueryVectors
from tests.support.search.search_data import (
    MODEL,
    fill,
    found,
    media_hash,
    random_units,
    view_of,
)
from tests.support.waiting import wait_for

FILES, ROWS, DIM = 2, 6_000, 256
MATCHES, QUERIES = 50, 10
# Bytes a query.
CODES = FILES * ROWS * DIM + 1_000  # all codes of 8 bits, and the query's own
STORED = 120_000  # 102,400: 200 rows of the 12,000
BY_CALLS = 2_000  # 83; a manifest for each match would be 20,000
IN_ONE_FILE = ROWS * DIM * 2  # its stored rows: too few to be worth codes


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Bytes that the kernels were given to look through, by the type of their numbers."""
    counted: Counter[str] = Counter()

    def counting(kernel: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            for rows in given:
                if isinstance(rows, np.ndarray):
                    counted["stored" if rows.dtype == np.float16 else "codes"] += rows.nbytes
            return kernel(*given, **more)

        return call

    for name in ("dots_packed", "cdist"):
        monkeypatch.setattr(numkong, name, counting(getattr(numkong, name)))
    return counted


def read_by_calls() -> int:
    """Bytes that this process has read by system calls; what it maps counts nothing."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("rchar")))


def test_a_search_reads_codes_once_few_stored_rows_and_of_one_file_only_its_own(
    index: Any, cache: Any, settings: Any, scored: Counter[str]
) -> None:
    def ask(query: QueryVectors, hashes: list[str] | None = None) -> None:
        hits = index.search(view_of(index, cache), MODEL, query, hashes, MATCHES)
        assert len(hits) == MATCHES

    vectors = fill(cache, FILES, rows=ROWS, dim=DIM)
    assert found(index, cache, vectors[1][5], max_results=1) == [(1, 5)]
    wait_for(lambda: any(settings.state_dir.rglob("codes.json")), 30, "the codes")
    queries = [QueryVectors(query=row) for row in random_units(QUERIES, DIM, 99)]
    ask(queries[0])  # takes the codes up
    scored.clear()
    before = read_by_calls()
    for query in queries:
        ask(query)
    assert read_by_calls() - before <= BY_CALLS * QUERIES
    assert 0 < scored["codes"] <= CODES * QUERIES, scored
    assert 0 < scored["stored"] <= STORED * QUERIES, scored
    scored.clear()
    for query in queries:
        ask(query, [media_hash(0)])
    assert 0 < scored.total() <= IN_ONE_FILE * QUERIES, scored
