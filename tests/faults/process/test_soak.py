"""A minute of `scripts/soak`: every kind of process is killed once, and the server works on."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.soak.soak import KINDS, soak


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_minute_of_kills_loses_doubles_and_delays_nothing(tmp_path: Path) -> None:
    result = soak(tmp_path, seconds=60, seed=1)
    print("\n".join(result.lines))
    assert {kind for kind, gaps in result.gaps.items() if gaps} == set(KINDS)
    assert not result.broken
