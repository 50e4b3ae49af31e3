"""Turns are read once, a look has an end, and what was found is kept while it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest

from api.people.people import People
from api.people.voices import proposals
from api.people.voices.proposals import HeardTurns
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
    monkeypatch.setattr(proposals, "_AT_ONCE", 1)
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
    assert (other.ids.tolist(), other.firsts.tolist()) == ([7, 7], [0, 21])
    assert other.frames == 10 + 9


def test_turns_without_a_frame_and_turns_of_one_frame_cost_nothing(
    cache: CacheDir, pool: Executor
) -> None:
    hash_str = "0" * 16
    words = [(n / 1000, (n + 0.2) / 1000, "x") for n in range(900, 1100)]
    same = [(1.9999, 2.0001 + n / 1e6, "x") for n in range(50)]
    file = publish_talks(cache, hash_str, [Talk(7, 1, [*words, *same])])
    found = HeardTurns().of(cache, [(hash_str, file)], pool, within_s=60.0)[hash_str]
    assert found is not None
    assert list(zip(found.firsts.tolist(), found.ends.tolist(), strict=True)) == [(1, 2), (2, 3)]


def test_turns_of_an_artefact_that_is_newer_than_the_grouping_are_kept_under_its_name(
    cache: CacheDir, pool: Executor
) -> None:
    hash_str = "0" * 16
    newer = publish_talks(cache, hash_str, [Talk(7, 1, TURNS)])
    turns = HeardTurns()
    first = turns.of(cache, [(hash_str, "former")], pool, within_s=60.0)[hash_str]
    for path in cache.media_dir(hash_str).path.glob("speakers*"):
        path.unlink()
    again = turns.of(cache, [(hash_str, newer)], pool, within_s=60.0)
    assert again[hash_str] is first


def test_proposals_are_found_once_unless_a_file_was_not_come_to(
    cache: CacheDir, pool: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"{n:016x}": [Talk(1, 11, TURNS)] for n in range(2)}
    make_collection(cache, NAME, {hash_str: [Seen(0, 1, 5)] for hash_str in files})
    add_voices(cache, NAME, files)
    people = People()
    snapshot = people.open(cache, NAME)
    first = people.proposing.of(snapshot, pool)
    assert first == ([], [])
    assert people.proposing.of(snapshot, pool) is first
    for path in cache.media_dir(f"{1:016x}").path.glob("speakers*"):
        path.unlink()
    fresh = People().proposing
    partly = fresh.of(snapshot, pool)
    assert partly.found == []
    [why] = partly.warnings
    assert why.startswith("1 file of 2 with faces and voices could not be looked at: who speaks")
    assert fresh.of(snapshot, pool) is partly, "a file that cannot be read keeps nothing from that"
    monkeypatch.setattr(proposals, "_AT_ONCE", 1)
    monkeypatch.setattr(proposals, "_WITHIN_S", -1.0)
    hasty = People().proposing
    [why] = hasty.of(snapshot, pool).warnings
    assert why.startswith("1 file of 2 with faces and voices could not be looked at in time.")
    monkeypatch.setattr(proposals, "_WITHIN_S", 60.0)
    assert hasty.of(snapshot, pool).warnings == partly.warnings


@pytest.mark.parametrize(
    ("bound", "most", "beyond"),
    [
        ("_MOST_FRAMES", 20, 1),
        ("_MOST_FRAMES", 10, 1),
        ("_MOST_FACES", 20, 1),
        ("_MOST_FACES", 10, 2),
        ("_MOST_MEETINGS", 20, 0),
        ("_MOST_MEETINGS", 10, 1),
        ("_MOST_PAIRS", 2, 0),
        ("_MOST_PAIRS", 1, 1),
    ],
)
def test_files_that_are_too_much_in_all_are_left_out_and_counted(
    cache: CacheDir,
    pool: Executor,
    monkeypatch: pytest.MonkeyPatch,
    bound: str,
    most: int,
    beyond: int,
) -> None:
    files = {f"{n:016x}": [Talk(1, 11, TURNS[: n + 1])] for n in range(2)}
    seen = [Seen(second, 1, 5) for second in range(19)]
    make_collection(cache, NAME, {hash_str: seen for hash_str in files})
    add_voices(cache, NAME, files)
    monkeypatch.setattr(proposals, bound, most)
    warnings = People().proposing.of(People().open(cache, NAME), pool).warnings
    expected = {0: [], 1: ["1 file"], 2: ["2 files"]}[beyond]
    assert [why.split(" of 2 with")[0] for why in warnings] == expected
