"""Turns are read once, a look has an end, and what was found is kept while it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest

from api.people.people import People
from api.people.voices import heard
from api.people.voices.heard import HeardTurns
from shared.cache.cache_dir import CacheDir
from tests.support.people.people_data import Seen, make_collection
from tests.support.people.voices_desk import Talk, add_voices, publish_talks

NAME = "Season 1"
TURNS = [(0.0, 9.5, "So it was"), (20.2, 29.8, "Indeed")]


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


@pytest.fixture
def cache(tmp_path: Path) -> CacheDir:
    return CacheDir.open(tmp_path / "cache", create=True)


def test_what_was_read_of_a_file_is_kept_and_a_look_ends_in_time(
    cache: CacheDir, pool: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heard, "_AT_ONCE", 1)
    hashes = [f"{n:016x}" for n in range(3)]
    files = [(one, publish_talks(cache, one, [Talk(7, 1, TURNS)])) for one in hashes[:2]]
    turns = HeardTurns()
    in_time = turns.of(cache, files, pool, within_s=-1.0)
    assert list(in_time) == hashes[:1]
    found = turns.of(cache, [*files, (hashes[2], "none")], pool, within_s=60.0)
    assert found[hashes[0]] is in_time[hashes[0]]
    assert found[hashes[2]] is None
    other = found[hashes[1]]
    assert other is not None
    assert (other.ids.tolist(), other.starts.tolist()) == ([7, 7], [0.0, 20.2])
    assert other.seconds == pytest.approx(19.1)


def test_proposals_are_found_once_unless_something_could_not_be_read(
    cache: CacheDir, pool: Executor
) -> None:
    files = {f"{n:016x}": [Talk(1, 11, TURNS)] for n in range(2)}
    make_collection(cache, NAME, {hash_str: [Seen(0, 1, 5)] for hash_str in files})
    add_voices(cache, NAME, files)
    people = People()
    snapshot = people.open(cache, NAME)
    first = people.proposing.of(snapshot, pool)
    assert (first.heard, first.files, first.found) == (2, 2, [])
    assert people.proposing.of(snapshot, pool) is first
    for path in cache.media_dir(f"{1:016x}").path.glob("speakers*"):
        path.unlink()
    fresh = People().proposing
    partly = fresh.of(snapshot, pool)
    assert (partly.heard, partly.files) == (1, 2)
    assert fresh.of(snapshot, pool) is not partly
