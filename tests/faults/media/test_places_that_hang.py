"""Where content lies several times, a share that hangs costs a search a moment, once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.cache.caches import Caches
from shared.cache.cache_dir import CacheDir
from shared.settings import Settings
from tests.support.search.search_data import media_hash
from tests.support.system.faulty_disk import FaultyDisk, faulty_disk
from tests.support.system.stopwatch import Stopwatch
from tests.support.waiting import wait_for

FILES = 40


@pytest.fixture
def share(tmp_path: Path) -> Iterator[FaultyDisk]:
    (tmp_path / "source").mkdir()
    (tmp_path / "copies").mkdir()
    for number, folder in itertools.product(range(FILES), ("source", "copies")):
        (tmp_path / folder / f"{number}.mp4").write_bytes(b"x")
    with faulty_disk(tmp_path / "source", tmp_path / "share") as share:
        yield share
        share.come_back()


def test_copies_elsewhere_are_named_at_once_and_the_originals_when_it_is_back(
    tmp_path: Path, share: FaultyDisk
) -> None:
    cache = CacheDir.open(tmp_path / "cache", create=True)
    hashes = [media_hash(number) for number in range(FILES)]
    for number, folder in itertools.product(range(FILES), (share.mounted, tmp_path / "copies")):
        cache.remember_path(hashes[number], str(folder / f"{number}.mp4"), 1, 1)
    caches = Caches(Settings(state_dir=tmp_path / "state"))

    def folder_of_hits() -> tuple[set[str], float]:
        view, stopwatch = caches.open(str(cache.root)), Stopwatch()
        best = caches.best_paths(view, hashes)
        return {Path(path or "").parent.name for path in best.values()}, stopwatch.seconds()

    assert wait_for(lambda: folder_of_hits()[0] == {"share"}, 10, "the originals")
    share.hang()
    took = [folder_of_hits()[1]]
    # What was there some seconds ago is named that long.
    wait_for(lambda: folder_of_hits()[0] == {"copies"}, 10, "the copies")
    took += [folder_of_hits()[1] for _ in range(5)]
    assert took[0] < 0.5, "a moment"
    assert sorted(took[1:])[2] < 0.05, "and no more"
    places = caches.places(caches.open(str(cache.root)), hashes[:1])[hashes[0]]
    assert [(Path(place.path).parent.name, place.opens) for place in places] == [
        ("copies", True),
        ("share", None),
    ]
    share.come_back()
    wait_for(lambda: folder_of_hits()[0] == {"share"}, 10, "the originals again")
    caches.close()
