"""Stills of an Item are embedded in batches of at least 16, wherever there are 16."""

from __future__ import annotations

import pytest

from workers.analysis.stages.visual import _even_parts


@pytest.mark.parametrize("count", [1, 15, 16, 20, 31, 32, 47, 64])
def test_no_batch_is_a_remnant(count: int) -> None:
    parts = list(_even_parts(list(range(count)), 16))
    assert [n for part in parts for n in part] == list(range(count))
    assert min(map(len, parts)) >= min(count, 16)
    assert max(map(len, parts)) < 32


def test_nothing_makes_no_batch() -> None:
    assert list(_even_parts([], 16)) == []
