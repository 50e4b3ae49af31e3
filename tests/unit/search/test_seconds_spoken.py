"""The seconds in which somebody speaks, also where hostile data says that it is for ever."""

from __future__ import annotations

import tracemalloc

from api.search.filtering.speaking import seconds_touched
from shared.cache import limits
from shared.cache.transcripts import LONGEST_S


def test_every_second_that_is_touched_counts_once() -> None:
    stretches = [(5.0, 6.0), (0.4, 2.1), (1.0, 1.0), (5.5, 5.6), (9.0, 9.0)]
    assert seconds_touched(stretches).tolist() == [0, 1, 2, 5, 9]
    assert seconds_touched([(0.0, 10.0), (2.0, 3.0), (9.5, 11.0)]).tolist() == list(range(11))
    assert not len(seconds_touched([]))


def test_stretches_that_cover_each_other_cost_no_more_than_one_film() -> None:
    forever = [(0.0, float(LONGEST_S))] * 1_000 + [(float(LONGEST_S), float(LONGEST_S))]
    tracemalloc.start()
    found = seconds_touched(forever)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == limits.PACK_FRAMES
    assert peak < 100e6
