"""How long clusters are seen: seconds of films, pictures and files are counted once each."""

from __future__ import annotations

import numpy as np

from api.people.snapshot import ScreenTime, screen_times
from shared.people.clustering import NO_CLUSTER
from tests.support.people.clusterings import clustering, keys_at

# Two films and a picture between them; cluster 10 has two faces in second 1 of the first.
GROUPING = clustering((10, 10, 20, 10, 20, 20, NO_CLUSTER, 10, 10), media=3)
SECONDS = np.array([1, 1, 2, 0, 0, 0, 5, 5, 6])


def test_what_is_seen_is_counted_once() -> None:
    object.__setattr__(GROUPING, "keys", keys_at(SECONDS))
    found = screen_times(GROUPING, GROUPING.labels, np.array([False, True, False]))
    assert found == {
        10: ScreenTime(seconds=3, stills=1, files=3),
        20: ScreenTime(seconds=1, stills=1, files=2),
        NO_CLUSTER: ScreenTime(seconds=1, stills=0, files=1),
    }


def test_nobody_is_seen_nowhere() -> None:
    nobody = clustering(())
    assert screen_times(nobody, nobody.labels, np.zeros(3, bool)) == {}
