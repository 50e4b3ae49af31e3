"""Less than a minute of each `scripts/soak`: of kills, after which all works on, and of clients."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.soak.clients import soak_clients
from benchmarks.soak.soak import KINDS, soak
from tests.support.running.long_form import by_form


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_kill_of_each_process_loses_doubles_and_delays_nothing(tmp_path: Path) -> None:
    result = soak(tmp_path, seconds=by_form(short=46, long=60), seed=1)
    print("\n".join(result.lines))
    assert {kind for kind, gaps in result.gaps.items() if gaps} == set(KINDS)
    assert not result.broken


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_twelve_clients_get_their_turns_and_nobody_is_cancelled_for_another(tmp_path: Path) -> None:
    """Not the watch folder's share, which begins after a minute; all of its files are done then."""
    result = soak_clients(tmp_path, seconds=by_form(short=45, long=60), seed=1)
    print("\n".join(result.lines))
    assert not result.broken
